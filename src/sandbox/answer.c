/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include <microhttpd.h>

#include "kapturefs/sandbox/answer.h"

enum {
	BODY_SIZE_MAX = 1 << 28,
	NS_A_SECOND = 1000000000,
	NS_A_MILLISECOND = 1000000,
};

void answer_init(struct answer *answer)
{
	*answer = (struct answer){ .status = MHD_HTTP_OK };
	buffer_init(&answer->body, BODY_SIZE_MAX);
}

void answer_fini(struct answer *answer)
{
	buffer_fini(&answer->body);
}

int answer_say(struct answer *answer, unsigned status, const char *text, size_t length)
{
	answer->status = status;
	buffer_clear(&answer->body);
	return buffer_append(&answer->body, text, length);
}

int answer_mistaken(struct answer *answer)
{
	static const char text[] =
	        "{\"message\": \"Bad Request - Invalid parameters or missing data\","
	        "\"status\": \"failed\"}";

	return answer_say(answer, MHD_HTTP_BAD_REQUEST, text, strlen(text));
}

int answer_nowhere(struct answer *answer)
{
	static const char text[] = "{\"message\": \"Not Found - Resource or endpoint not found\","
	                           "\"status\": \"failed\"}";

	return answer_say(answer, MHD_HTTP_NOT_FOUND, text, strlen(text));
}

uint64_t answer_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_A_SECOND + (uint64_t)now.tv_nsec;
}

/*
 * Wait until @until_ns, or for ever if it is 0. Returns whether neither the
 * sandbox nor the client has gone.
 */
static bool wait_until(uint64_t until_ns, int ending, int client)
{
	struct pollfd watched[] = {
		{ .fd = ending, .events = POLLIN },
		{ .fd = client, .events = POLLRDHUP },
	};

	for (;;) {
		uint64_t now = answer_clock_ns();
		uint64_t left = until_ns > now ? until_ns - now : 0;
		struct timespec timeout = {
			.tv_sec = (time_t)(left / NS_A_SECOND),
			.tv_nsec = (long)(left % NS_A_SECOND),
		};
		int ready = ppoll(watched, array_length(watched), until_ns ? &timeout : NULL, NULL);

		if (ready == 0)
			return true;
		if (ready > 0 || errno != EINTR)
			return false;
	}
}

static bool wait_for_turn(const struct answer *answer, const struct answer_way *way)
{
	const union MHD_ConnectionInfo *info;

	/* Who closes its half of the connection may still wait for an answer, but not for ever. */
	if (answer->is_withheld) {
		info = MHD_get_connection_info(way->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		(void)wait_until(0, way->ending, info ? info->connect_fd : -1);
		return false;
	}
	return wait_until(way->received_ns + (uint64_t)answer->delay_ms * NS_A_MILLISECOND,
	                  way->ending, -1);
}

bool answer_send(struct answer *answer, const struct answer_way *way)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!wait_for_turn(answer, way))
		return false;

	response = MHD_create_response_from_buffer(answer->body.length, answer->body.data,
	                                           MHD_RESPMEM_MUST_FREE);
	if (!response)
		return false;
	(void)buffer_steal(&answer->body); /* the response's now */

	result =
	        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	if (result == MHD_YES)
		result = MHD_queue_response(way->connection, answer->status, response);
	MHD_destroy_response(response);
	return result == MHD_YES;
}
