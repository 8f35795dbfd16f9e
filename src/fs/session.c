/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/base/log.h"
#include "kapturefs/fs/channel.h"
#include "kapturefs/fs/mounting.h"
#include "kapturefs/fs/session.h"
#include "kapturefs/io/processors.h"

enum {
	SERVE_NS_MAX = 1000 * 1000, /* in one turn of the loop: answers of the API wait */
	OPTIONS_SIZE_MAX = 64 << 10,
	NOTIFIER_LOOK_MS = 1,
};

struct session {
	struct fuse_session *fuse;
	struct channel channel;
	struct fuse_buf buffer; /* libfuse's memory for one request */
	uv_poll_t poll;
	uv_prepare_t before_sleep;
	uv_idle_t awake; /* runs while the loop may not sleep */
	struct processors processors;
	unsigned handles_open;
	struct notifier *notifier;
	uint64_t busy_poll_ns;
	uint64_t replied_ns; /* when the last replies had been sent */
	int handed;          /* the connection, until libfuse has it; else -1 */
	struct unmounter *unmounter;
	char *mountpoint;
	struct mounts_mount mounted;
	session_ended_fn *ended;
	void *userdata;
};

static void session_end(struct session *session)
{
	uv_poll_stop(&session->poll);
	uv_prepare_stop(&session->before_sleep);
	uv_idle_stop(&session->awake);
	session->ended(session->userdata);
}

/* Serve one request if there is one. Returns 0, -EAGAIN, or -ENODEV when the connection is gone. */
static int serve_one(struct session *session)
{
	int r;

	do
		r = fuse_session_receive_buf(session->fuse, &session->buffer);
	while (r == -EINTR);
	if (r == -EAGAIN)
		return r;
	if (r <= 0)
		return -ENODEV;

	fuse_session_process_buf(session->fuse, &session->buffer);
	/* It may have named somebody who is to be forgotten. */
	explicit_bzero(session->buffer.mem, (size_t)r);
	return 0;
}

static void session_readable(uv_poll_t *poll, int status, int events)
{
	struct session *session = poll->data;
	uint64_t start_ns = uv_hrtime();
	int r;

	(void)status;
	(void)events;
	do
		r = serve_one(session);
	while (!r && uv_hrtime() - start_ns < SERVE_NS_MAX);
	if (r == -ENODEV) {
		log_debug("session: connection closed");
		session_end(session);
	}
}

static void stay_awake(uv_idle_t *idle)
{
	(void)idle;
}

/*
 * Waking up is most of a round trip's price, and whoever has been answered mostly asks again at
 * once: so for a little while after a reply the loop does not sleep, unless processors do not. That
 * is of no use while the notifier works: it needs the processor, and so does who is asked for.
 */
static void before_sleep(uv_prepare_t *prepare)
{
	struct session *session = prepare->data;
	bool has_replied = session->channel.has_replied;
	bool are_awake = false;

	session->channel.has_replied = false;
	if (!has_replied && !uv_is_active((uv_handle_t *)&session->awake))
		return;
	if (has_replied) {
		session->replied_ns = uv_hrtime();
		are_awake = session->busy_poll_ns && processors_replied(&session->processors);
	}
	if (are_awake || notifier_is_busy(session->notifier) ||
	    uv_hrtime() - session->replied_ns >= session->busy_poll_ns)
		(void)uv_idle_stop(&session->awake);
	else
		(void)uv_idle_start(&session->awake, stay_awake);
}

/* libfuse takes its options as arguments; commas and backslashes in values are escaped for it. */
static int append_option_value(struct buffer *options, const char *value)
{
	int r = 0;

	for (; *value && !r; value++) {
		if (*value == ',' || *value == '\\')
			r = buffer_append_text(options, "\\");
		if (!r)
			r = buffer_append(options, value, 1);
	}
	return r;
}

static int write_options(const struct session_settings *settings, struct buffer *options)
{
	int r;

	r = buffer_append_text(options, "ro,nosuid,nodev,noexec,default_permissions,"
	                                "subtype=kapturefs,fsname=");
	if (!r)
		r = append_option_value(options, settings->source);
	if (!r && settings->options)
		r = buffer_print(options, ",%s", settings->options);
	return r;
}

static int create_fuse_session(struct session *session, const struct session_settings *settings)
{
	cleanup(buffer_fini) struct buffer options;
	char *arguments[3];
	struct fuse_args args = FUSE_ARGS_INIT(array_length(arguments), arguments);
	char program[] = "kapturefs";
	char flag[] = "-o";
	int r;

	buffer_init(&options, OPTIONS_SIZE_MAX);
	r = write_options(settings, &options);
	if (r)
		return r;

	arguments[0] = program;
	arguments[1] = flag;
	arguments[2] = options.data;
	session->fuse = fuse_session_new(&args, filesystem_operations(),
	                                 sizeof(*filesystem_operations()), &session->channel);
	fuse_opt_free_args(&args);
	return session->fuse ? 0 : -EINVAL;
}

/* A connection of somebody else's making is none that libfuse would take away. */
static int mount_by_libfuse(struct session *session, const char *mountpoint)
{
	char place[sizeof("/dev/fd/") + 3 * sizeof(int)];

	if (session->handed >= 0) {
		snprintf(place, sizeof(place), "/dev/fd/%d", session->handed);
		if (fuse_session_mount(session->fuse, place))
			return -EIO;
		session->handed = -1;
		return 0;
	}
	if (fuse_session_mount(session->fuse, mountpoint))
		return -EIO;
	mounting_find(mountpoint, &session->mounted);
	return 0;
}

static int mount_fuse_session(struct session *session, const char *mountpoint)
{
	int descriptor;
	int r;

	session->mountpoint = strdup(mountpoint);
	if (!session->mountpoint)
		return -ENOMEM;
	r = mount_by_libfuse(session, mountpoint);
	if (!r)
		r = channel_attach(session->fuse);
	if (r)
		return r;
	descriptor = fuse_session_fd(session->fuse);
	if (fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) < 0 ||
	    fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* What the thread waits for, if anything, is a page that only the answer to a request unlocks. */
static void end_notifier(struct session *session)
{
	struct pollfd readable = { .events = POLLIN };

	notifier_stop(session->notifier);
	while (!notifier_has_ended(session->notifier)) {
		readable.fd = fuse_session_fd(session->fuse);
		if (poll(&readable, 1, NOTIFIER_LOOK_MS) > 0)
			(void)serve_one(session);
	}
}

/* With one processor, looking would only keep the asker from running. */
static uint64_t busy_poll_ns(const struct session_settings *settings)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? (uint64_t)settings->busy_poll_us * 1000 : 0;
}

/*
 * libfuse would unmount what its path leads to by now, unless the connection has ended, of which it
 * knows by POLLERR: so it gets what a pipe without a reader has. That closes the connection.
 */
static void end_connection(struct session *session)
{
	int ends[2];

	if (fuse_session_fd(session->fuse) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return;
	close(ends[0]);
	(void)dup3(ends[1], fuse_session_fd(session->fuse), O_CLOEXEC);
	close(ends[1]);
}

static void unmount(struct session *session)
{
	if (session->unmounter)
		unmounter_unmount(session->unmounter);
	if (session->mounted.entry.type[0])
		end_connection(session);
	fuse_session_unmount(session->fuse);
	mounting_detach(&session->mounted);
	session->mounted.entry.type[0] = '\0';
}

static void session_free(struct session *session)
{
	if (session->fuse) {
		unmount(session);
		fuse_session_destroy(session->fuse);
	}
	if (session->handed >= 0)
		close(session->handed);
	free(session->mountpoint);
	free(session->buffer.mem);
	free(session);
}

static void open_handles(struct session *session, uv_loop_t *loop)
{
	uv_prepare_init(loop, &session->before_sleep);
	uv_idle_init(loop, &session->awake);
	session->poll.data = session;
	session->before_sleep.data = session;
	session->awake.data = session;
	session->handles_open = 4;
	processors_init(&session->processors, loop);
	session->processors.rest.data = session;
	uv_poll_start(&session->poll, UV_READABLE, session_readable);
	uv_prepare_start(&session->before_sleep, before_sleep);
}

int session_open(uv_loop_t *loop, struct filesystem *filesystem, struct notifier *notifier,
                 const struct session_settings *settings, session_ended_fn *ended, void *userdata,
                 struct session **ret)
{
	struct session *session;
	int r;

	session = calloc(1, sizeof(*session));
	if (!session) {
		if (settings->descriptor >= 0)
			close(settings->descriptor);
		return -ENOMEM;
	}

	session->handed = settings->descriptor;
	session->unmounter = settings->unmounter;
	session->channel.userdata = filesystem;
	session->notifier = notifier;
	session->busy_poll_ns = busy_poll_ns(settings);
	session->ended = ended;
	session->userdata = userdata;
	r = create_fuse_session(session, settings);
	if (!r)
		r = mount_fuse_session(session, settings->mountpoint);
	if (!r && session->unmounter && settings->descriptor < 0)
		r = unmounter_guard(session->unmounter, &session->mounted, false);
	if (!r && settings->mounted)
		r = settings->mounted(settings->userdata);
	if (!r)
		r = notifier_start(notifier, session->fuse);
	if (!r)
		r = uv_poll_init(loop, &session->poll, fuse_session_fd(session->fuse));
	if (r) {
		end_notifier(session);
		session_free(session);
		return r;
	}

	open_handles(session, loop);
	*ret = session;
	return 0;
}

static void session_closed(uv_handle_t *handle)
{
	struct session *session = handle->data;

	if (--session->handles_open == 0)
		session_free(session);
}

void session_close(struct session *session)
{
	if (!session)
		return;

	uv_poll_stop(&session->poll);
	end_notifier(session);
	/*
	 * Unmounting closes the descriptor, which ends the connection, so no caller is left
	 * waiting.
	 */
	unmount(session);
	uv_close((uv_handle_t *)&session->poll, session_closed);
	uv_close((uv_handle_t *)&session->before_sleep, session_closed);
	uv_close((uv_handle_t *)&session->awake, session_closed);
	processors_close(&session->processors, session_closed);
}

uint64_t session_kernel_flags(const struct session *session)
{
	return session->channel.kernel_flags;
}

void session_add_metrics(struct session *session, struct metrics *metrics)
{
	channel_add_metrics(&session->channel, metrics);
}

const char *session_libfuse_version(void)
{
	return fuse_pkgversion();
}
