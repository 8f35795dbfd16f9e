/* SPDX-License-Identifier: MIT */
/*
 * The server: libmicrohttpd with a thread a connection, so that an answer may
 * wait for as long as it likes without holding up any other.
 *
 * A request goes through one way: receive() gathers it, api_answer() or control_answer() makes up a
 * value, answer_send() sends it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "kapturefs/sandbox/sandbox.h"
#include "kapturefs/sandbox/state.h"

enum {
	CONNECTIONS_MAX = 4096,
	DESCRIPTORS_BESIDES = 128, /* the process's other files */
	STACK_SIZE = 512 << 10,
	BODY_SIZE_MAX = 64 << 20, /* a behaviour may bring a body that is too large on purpose */
};

struct sandbox {
	struct state state;
	struct MHD_Daemon *daemon;
	int ending; /* an eventfd that is written once, at the end, and never read */
	uint16_t port;
};

/* A request on its way in. */
struct incoming {
	struct request request;
	bool is_counted;
	int r; /* what went wrong while it came */
};

static int incoming_new(struct sandbox *sandbox, const char *method, const char *path,
                        struct incoming **ret)
{
	struct incoming *incoming = calloc(1, sizeof(*incoming));

	if (!incoming)
		return -ENOMEM;
	buffer_init(&incoming->request.body, BODY_SIZE_MAX);
	incoming->is_counted = api_is_asked(method, path);
	if (incoming->is_counted)
		state_begin_request(&sandbox->state);
	*ret = incoming;
	return 0;
}

/* However it ended. */
static void complete(void *userdata, struct MHD_Connection *connection, void **context,
                     enum MHD_RequestTerminationCode code)
{
	struct sandbox *sandbox = userdata;
	struct incoming *incoming = *context;

	(void)connection;
	(void)code;
	if (!incoming)
		return;
	if (incoming->is_counted)
		state_end_request(&sandbox->state);
	buffer_fini(&incoming->request.body);
	free(incoming);
	*context = NULL;
}

static void notice_connection(void *userdata, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
	struct sandbox *sandbox = userdata;

	(void)connection;
	(void)context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		state_count_connection(&sandbox->state);
}

static int make_up(struct sandbox *sandbox, const struct incoming *incoming, struct answer *answer)
{
	if (incoming->r == -EFBIG)
		return answer_mistaken(answer);
	if (incoming->r)
		return incoming->r;
	if (incoming->is_counted)
		return api_answer(&sandbox->state, &incoming->request, answer);
	return control_answer(&sandbox->state, &incoming->request, answer);
}

static enum MHD_Result respond(struct sandbox *sandbox, struct MHD_Connection *connection,
                               const struct incoming *incoming)
{
	const struct answer_way way = {
		.connection = connection,
		.ending = sandbox->ending,
		.received_ns = answer_clock_ns(),
	};
	cleanup(answer_fini) struct answer answer;

	answer_init(&answer);
	if (make_up(sandbox, incoming, &answer))
		return MHD_NO;
	return answer_send(&answer, &way) ? MHD_YES : MHD_NO;
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
		if (incoming_new(sandbox, method, path, &incoming))
			return MHD_NO;
		*context = incoming;
		return MHD_YES;
	}
	if (*length) {
		if (!incoming->r)
			incoming->r = buffer_append(&incoming->request.body, piece, *length);
		*length = 0;
		return MHD_YES;
	}

	incoming->request.method = method;
	incoming->request.path = path;
	incoming->request.authorization =
	        MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
	                                    MHD_HTTP_HEADER_AUTHORIZATION);
	incoming->request.from = query(connection, "from");
	incoming->request.count = query(connection, "count");
	return respond(sandbox, connection, incoming);
}

/* A socket of ours rather than libmicrohttpd's, which does not tell why it could not bind one. */
static int listen_on(uint16_t port, int *ret, uint16_t *ret_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	const int yes = 1;
	int fd;
	int r;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The port is free again as soon as nobody listens, whatever connections linger. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&address, &length)) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret = fd;
	*ret_port = ntohs(address.sin_port);
	return 0;
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

/* The socket is the daemon's from here on, which closes it when it fails to start, too. */
static int start_daemon(struct sandbox *sandbox, int listening)
{
	const unsigned flags =
	        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC;
	sigset_t all;
	sigset_t before;

	/* Signals are the process's own business: the threads inherit that they get none. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = 0;
	sandbox->daemon =
	        MHD_start_daemon(flags, 0, NULL, NULL, receive, sandbox, MHD_OPTION_LISTEN_SOCKET,
	                         listening, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	                         MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE,
	                         MHD_OPTION_NOTIFY_COMPLETED, complete, sandbox,
	                         MHD_OPTION_NOTIFY_CONNECTION, notice_connection, sandbox,
	                         MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (sandbox->daemon)
		return 0;
	return errno ? -errno : -ENOMEM;
}

int sandbox_start(const struct sandbox_settings *settings, struct sandbox **ret)
{
	cleanup(sandbox_stopp) struct sandbox *sandbox = NULL;
	int listening = -1;
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

	r = listen_on(settings->port, &listening, &sandbox->port);
	if (r)
		return r;
	raise_descriptor_limit();
	r = start_daemon(sandbox, listening);
	if (r)
		return r;
	*ret = steal(&sandbox);
	return 0;
}

void sandbox_stop(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	if (sandbox->daemon) {
		(void)eventfd_write(sandbox->ending, 1);
		MHD_stop_daemon(sandbox->daemon);
	}
	if (sandbox->ending >= 0)
		close(sandbox->ending);
	state_fini(&sandbox->state);
	free(sandbox);
}

uint16_t sandbox_port(const struct sandbox *sandbox)
{
	return sandbox->port;
}

void sandbox_customer_keys(const struct sandbox *sandbox, uint32_t index, struct sandbox_keys *ret)
{
	generator_keys(&sandbox->state.customers.generator, index, ret);
}
