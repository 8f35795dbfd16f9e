/* SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "kapturefs/sandbox/acceptor.h"

enum {
	SILENT_MAX = 1024, /* connections that are kept and not read; the next is closed */
	WATCHED_ENDING = 0,
	WATCHED_LISTENING,
	WATCHED_SILENT, /* and on */
};

struct acceptor {
	pthread_t thread;
	struct acceptor_calls calls;
	uint16_t port;
	struct pollfd watched[WATCHED_SILENT + SILENT_MAX];
	unsigned silent;
};

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

static void keep_silent(struct acceptor *acceptor, int fd)
{
	if (acceptor->silent == SILENT_MAX) {
		close(fd);
		return;
	}
	acceptor->watched[WATCHED_SILENT + acceptor->silent++] =
	        (struct pollfd){ .fd = fd, .events = POLLRDHUP };
}

/* Close those whose client has given up. */
static void look_at_silent(struct acceptor *acceptor)
{
	for (unsigned i = acceptor->silent; i-- > 0;) {
		struct pollfd *watched = &acceptor->watched[WATCHED_SILENT + i];

		if (!watched->revents)
			continue;
		close(watched->fd);
		*watched = acceptor->watched[WATCHED_SILENT + --acceptor->silent];
	}
}

/* Returns false when there is none to accept. */
static bool accept_one(struct acceptor *acceptor)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	enum fate fate;
	int fd;

	fd = accept4(acceptor->watched[WATCHED_LISTENING].fd, (struct sockaddr *)&address, &length,
	             SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return false;

	fate = acceptor->calls.decide(acceptor->calls.userdata);
	switch ((int)fate) {
	case FATE_RESET:
		delivery_reset(fd);
		close(fd);
		break;
	case FATE_CLOSED:
		close(fd);
		break;
	case FATE_SILENT:
		keep_silent(acceptor, fd);
		break;
	default:
		acceptor->calls.serve(acceptor->calls.userdata, fate, fd,
		                      (struct sockaddr *)&address, length);
	}
	return true;
}

static void *run(void *userdata)
{
	struct acceptor *acceptor = userdata;
	struct pollfd *watched = acceptor->watched;
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (;;) {
		int ready = poll(watched, WATCHED_SILENT + acceptor->silent, -1);

		if (ready < 0 && errno != EINTR)
			break;
		if (ready <= 0)
			continue;
		if (watched[WATCHED_ENDING].revents)
			break;
		look_at_silent(acceptor);
		/* None although there is: out of descriptors, until some are closed. */
		if (watched[WATCHED_LISTENING].revents && !accept_one(acceptor))
			(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

int acceptor_start(uint16_t port, int ending, const struct acceptor_calls *calls,
                   struct acceptor **ret)
{
	struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
	int listening = -1;
	int r;

	if (!acceptor)
		return -ENOMEM;
	r = listen_on(port, &listening, &acceptor->port);
	if (r) {
		free(acceptor);
		return r;
	}
	acceptor->calls = *calls;
	acceptor->watched[WATCHED_ENDING] = (struct pollfd){ .fd = ending, .events = POLLIN };
	acceptor->watched[WATCHED_LISTENING] = (struct pollfd){ .fd = listening, .events = POLLIN };
	r = -pthread_create(&acceptor->thread, NULL, run, acceptor);
	if (r) {
		close(listening);
		free(acceptor);
		return r;
	}
	*ret = acceptor;
	return 0;
}

uint16_t acceptor_port(const struct acceptor *acceptor)
{
	return acceptor->port;
}

void acceptor_join(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	(void)pthread_join(acceptor->thread, NULL);
	close(acceptor->watched[WATCHED_LISTENING].fd);
	for (unsigned i = 0; i < acceptor->silent; i++)
		close(acceptor->watched[WATCHED_SILENT + i].fd);
	free(acceptor);
}
