/* SPDX-License-Identifier: MIT */
/*
 * The server: libmicrohttpd with a thread a connection, so that an answer may
 * wait for as long as it likes without holding up any other.
 *
 * acceptor takes a connection in and hands it to one of the daemons, which
 * differ in their certificates and in nothing else. A request goes through one
 * way: receive() gathers it, api_answer() or control_answer() makes up a value,
 * answer_send() sends it.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <microhttpd.h>

#include "kapturefs/sandbox/acceptor.h"
#include "kapturefs/sandbox/admission.h"
#include "kapturefs/sandbox/certificates.h"
#include "kapturefs/sandbox/sandbox.h"
#include "kapturefs/sandbox/state.h"

enum {
	CONNECTIONS_MAX = 4096,
	DESCRIPTORS_BESIDES = 128, /* the process's other files */
	STACK_SIZE = 512 << 10,
	QUESTION_SIZE_MAX = 1 << 20,
	ORDER_SIZE_MAX = 64 << 20, /* a behaviour may bring a body that is too large on purpose */
};

struct sandbox {
	struct state state;
	struct MHD_Daemon *daemons[FATES]; /* of the fates that have one */
	struct acceptor *acceptor;
	struct certificates certificates;
	int ending; /* an eventfd that is written once, at the end, and never read */
};

/* A request, from when its head is there until all of its answer has been sent. */
struct incoming {
	struct request request;
	enum admission admission;
	bool is_asking; /* the API */
	int r;          /* what went wrong while it came */
	struct answer answer;
};

static int incoming_new(struct sandbox *sandbox, struct MHD_Connection *connection,
                        const char *method, const char *path, struct incoming **ret)
{
	struct incoming *incoming = calloc(1, sizeof(*incoming));

	if (!incoming)
		return -ENOMEM;
	incoming->admission =
	        admission_decide(connection, sandbox->state.token, sandbox->state.has_tls);
	incoming->is_asking =
	        incoming->admission != ADMISSION_FOREIGN && api_is_asked(method, path);
	buffer_init(&incoming->request.body,
	            incoming->is_asking ? QUESTION_SIZE_MAX : ORDER_SIZE_MAX);
	answer_init(&incoming->answer);
	if (incoming->is_asking)
		state_begin_request(&sandbox->state);
	*ret = incoming;
	return 0;
}

/* However it ended; by the connection's own thread. */
static void complete(void *userdata, struct MHD_Connection *connection, void **context,
                     enum MHD_RequestTerminationCode code)
{
	struct sandbox *sandbox = userdata;
	struct incoming *incoming = *context;

	if (!incoming)
		return;
	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		delivery_follow(connection, &incoming->answer);
	if (incoming->is_asking)
		state_end_request(&sandbox->state);
	api_release(&sandbox->state, &incoming->answer);
	answer_fini(&incoming->answer);
	buffer_fini(&incoming->request.body);
	free(incoming);
	*context = NULL;
}

static void notice_connection(void *userdata, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
	struct sandbox *sandbox = userdata;

	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = (void *)(uintptr_t)state_count_connection(&sandbox->state);
}

/*
 * A connection that was there before a rule for connections would hide it from its client, and
 * ends instead of being used again.
 */
static bool is_outdated(struct sandbox *sandbox, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info && state_is_outdated(&sandbox->state, (uintptr_t)info->socket_context);
}

static int make_up(struct sandbox *sandbox, struct incoming *incoming, const struct answer_way *way)
{
	struct answer *answer = &incoming->answer;

	if (incoming->admission == ADMISSION_FOREIGN)
		return answer_foreign(answer);
	if (incoming->admission == ADMISSION_NO_TOKEN)
		return incoming->is_asking ? api_refuse(&sandbox->state, answer)
		                           : answer_refused(answer, MHD_HTTP_UNAUTHORIZED);
	if (incoming->r == -EFBIG)
		return answer_mistaken(answer, NULL);
	if (incoming->r)
		return incoming->r;
	if (incoming->is_asking)
		return api_answer(&sandbox->state, &incoming->request, way, answer);
	return control_answer(&sandbox->state, &incoming->request, answer);
}

static enum MHD_Result respond(struct sandbox *sandbox, struct MHD_Connection *connection,
                               struct incoming *incoming)
{
	const struct answer_way way = {
		.connection = connection,
		.ending = sandbox->ending,
		.received_ns = answer_clock_ns(),
	};

	if (incoming->is_asking && is_outdated(sandbox, connection))
		return MHD_NO;
	if (make_up(sandbox, incoming, &way))
		return MHD_NO;
	if (incoming->answer.delivery.sequel == SEQUEL_DEAF)
		delivery_deafen(connection);
	return answer_send(&incoming->answer, &way) ? MHD_YES : MHD_NO;
}

static const char *query(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

/* Called when the head of a request is there, for each piece of its body, and when it is whole. */
static enum MHD_Result receive(void *userdata, struct MHD_Connection *connection, const char *path,
                               const char *method, const char *version, const char *piece,
                               size_t *length, void **context)
{
	struct sandbox *sandbox = userdata;
	struct incoming *incoming = *context;

	(void)version;
	if (!incoming) {
		if (incoming_new(sandbox, connection, method, path, &incoming))
			return MHD_NO;
		*context = incoming;
		return MHD_YES;
	}
	if (*length) {
		if (!incoming->r && incoming->admission == ADMISSION_GRANTED)
			incoming->r = buffer_append(&incoming->request.body, piece, *length);
		*length = 0;
		return MHD_YES;
	}

	incoming->request.method = method;
	incoming->request.path = path;
	incoming->request.from = query(connection, "from");
	incoming->request.count = query(connection, "count");
	return respond(sandbox, connection, incoming);
}

/* Let the process have a descriptor for each connection, as far as it is allowed to. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	rlim_t wanted = CONNECTIONS_MAX + DESCRIPTORS_BESIDES;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* fewer connections at once, then */
}

/* What sets the daemon of one fate apart, with TLS. */
static const struct {
	enum certificate certificate;
	const char *priorities; /* of GnuTLS; NULL: there is no daemon */
} tls[FATES] = {
	[FATE_SERVED] = { CERTIFICATE_GOOD, "NORMAL" },
	[FATE_SELF_SIGNED] = { CERTIFICATE_SELF_SIGNED, "NORMAL" },
	[FATE_OTHER_HOST] = { CERTIFICATE_OTHER_HOST, "NORMAL" },
	[FATE_EXPIRED] = { CERTIFICATE_EXPIRED, "NORMAL" },
	[FATE_NOT_YET_VALID] = { CERTIFICATE_NOT_YET_VALID, "NORMAL" },
	[FATE_OLD_TLS] = { CERTIFICATE_GOOD, "NORMAL:-VERS-ALL:+VERS-TLS1.1" },
};

static int start_daemon(struct sandbox *sandbox, enum fate fate, bool has_tls)
{
	const struct certificates *certificates = &sandbox->certificates;
	const unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION |
	                       MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET;
	struct MHD_OptionItem secure[] = {
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, certificates->key },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, certificates->of[tls[fate].certificate] },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls[fate].priorities },
		{ MHD_OPTION_END, 0, NULL },
	};

	errno = 0;
	sandbox->daemons[fate] =
	        MHD_start_daemon(has_tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, receive,
	                         sandbox, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	                         MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE,
	                         MHD_OPTION_NOTIFY_COMPLETED, complete, sandbox,
	                         MHD_OPTION_NOTIFY_CONNECTION, notice_connection, sandbox,
	                         MHD_OPTION_ARRAY,
	                         has_tls ? secure : &secure[array_length(secure) - 1],
	                         MHD_OPTION_END);
	if (sandbox->daemons[fate])
		return 0;
	return errno ? -errno : -ENOMEM;
}

static int start_daemons(struct sandbox *sandbox, bool has_tls)
{
	int r;

	if (!has_tls)
		return start_daemon(sandbox, FATE_SERVED, false);
	r = certificates_make(&sandbox->certificates);
	for (enum fate fate = 0; !r && fate < FATES; fate++) {
		if (tls[fate].priorities)
			r = start_daemon(sandbox, fate, true);
	}
	return r;
}

static enum fate decide(void *userdata)
{
	struct sandbox *sandbox = userdata;

	return state_choose_fate(&sandbox->state);
}

static void serve(void *userdata, enum fate fate, int fd, const struct sockaddr *address,
                  socklen_t length)
{
	struct sandbox *sandbox = userdata;

	/* Closes what it cannot serve. */
	(void)MHD_add_connection(sandbox->daemons[fate], fd, address, length);
}

static int start_threads(struct sandbox *sandbox, const struct sandbox_settings *settings)
{
	const struct acceptor_calls calls = { decide, serve, sandbox };
	sigset_t all;
	sigset_t before;
	int r;

	/* Signals are the process's own business: the threads inherit that they get none. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = start_daemons(sandbox, settings->has_tls);
	if (!r)
		r = acceptor_start(settings->port, sandbox->ending, &calls, &sandbox->acceptor);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int sandbox_start(const struct sandbox_settings *settings, struct sandbox **ret)
{
	cleanup(sandbox_stopp) struct sandbox *sandbox = NULL;
	int r;

	if (settings->customers > GENERATOR_CUSTOMERS_MAX)
		return -EINVAL;
	sandbox = calloc(1, sizeof(*sandbox));
	if (!sandbox)
		return -ENOMEM;
	state_init(&sandbox->state,
	           (struct generator){ .seed = settings->seed, .customers = settings->customers },
	           settings->token, settings->latency_ms);
	sandbox->ending = eventfd(0, EFD_CLOEXEC);
	if (sandbox->ending < 0)
		return -errno;

	sandbox->state.has_tls = settings->has_tls;
	if (settings->faults)
		faults_add_all(&sandbox->state.faults, settings->faults);
	raise_descriptor_limit();
	r = start_threads(sandbox, settings);
	if (r)
		return r;
	*ret = steal(&sandbox);
	return 0;
}

void sandbox_stop(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	(void)eventfd_write(sandbox->ending, 1);
	acceptor_join(sandbox->acceptor);
	for (size_t i = 0; i < array_length(sandbox->daemons); i++) {
		if (sandbox->daemons[i])
			MHD_stop_daemon(sandbox->daemons[i]);
	}
	certificates_fini(&sandbox->certificates);
	if (sandbox->ending >= 0)
		close(sandbox->ending);
	state_fini(&sandbox->state);
	free(sandbox);
}

uint16_t sandbox_port(const struct sandbox *sandbox)
{
	return acceptor_port(sandbox->acceptor);
}

const char *sandbox_authority(const struct sandbox *sandbox)
{
	return sandbox->certificates.authority;
}

void sandbox_customer_keys(const struct sandbox *sandbox, uint32_t index, struct sandbox_keys *ret)
{
	generator_keys(&sandbox->state.customers.generator, index, ret);
}
