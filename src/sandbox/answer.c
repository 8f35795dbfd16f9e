/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include <microhttpd.h>

#include "kapturefs/model/json_writer.h"
#include "kapturefs/sandbox/answer.h"

enum {
	HEADERS_SIZE_MAX = 1 << 20,
	BODY_SIZE_MAX = 1 << 28,
	PIECE_SIZE = 1 << 15,
	NS_A_SECOND = 1000000000,
	NS_A_MILLISECOND = 1000000,
};

void answer_init(struct answer *answer)
{
	*answer = (struct answer){ .status = MHD_HTTP_OK, .type = "application/json" };
	buffer_init(&answer->headers, HEADERS_SIZE_MAX);
	buffer_init(&answer->body, BODY_SIZE_MAX);
}

void answer_fini(struct answer *answer)
{
	buffer_fini(&answer->headers);
	buffer_fini(&answer->body);
}

static void clear(struct answer *answer, unsigned status)
{
	answer->status = status;
	answer->fillings.count = 0;
	buffer_clear(&answer->body);
}

int answer_say(struct answer *answer, unsigned status, const char *text, size_t length)
{
	clear(answer, status);
	return buffer_append(&answer->body, text, length);
}

void answer_borrow(struct answer *answer, unsigned status, const char *text, size_t length)
{
	clear(answer, status);
	if (length)
		fillings_add(&answer->fillings, &(struct filling){ 0, text, length, length });
}

int answer_mistaken(struct answer *answer, const char *complaint)
{
	static const char documented[] = "Bad Request - Invalid parameters or missing data";
	int r;

	if (!complaint)
		complaint = documented;
	r = answer_say(answer, MHD_HTTP_BAD_REQUEST, "", 0);
	if (!r)
		r = buffer_append_text(&answer->body, "{\"message\": ");
	if (!r)
		r = json_append_string(&answer->body, complaint, strlen(complaint));
	return r ? r : buffer_append_text(&answer->body, ",\"status\": \"failed\"}");
}

int answer_nowhere(struct answer *answer)
{
	static const char text[] = "{\"message\": \"Not Found - Resource or endpoint not found\","
	                           "\"status\": \"failed\"}";

	return answer_say(answer, MHD_HTTP_NOT_FOUND, text, strlen(text));
}

int answer_refused(struct answer *answer, unsigned status)
{
	/* Word for word. */
	static const char text[] = "{\"message\": \"Invalid Auth Key\",\"status\": \"failed\"}";

	return answer_say(answer, status, text, strlen(text));
}

int answer_foreign(struct answer *answer)
{
	static const char text[] = "{\"message\": \"Forbidden - Only for programs of this machine, "
	                           "by a name of loopback and the port\","
	                           "\"status\": \"failed\"}";

	return answer_say(answer, MHD_HTTP_FORBIDDEN, text, strlen(text));
}

int answer_add_header(struct answer *answer, const char *name, const char *value)
{
	int r;

	r = buffer_append(&answer->headers, name, strlen(name) + 1);
	return r ? r : buffer_append(&answer->headers, value, strlen(value) + 1);
}

const char *answer_next_header(const struct answer *answer, const char *name,
                               const char **ret_value)
{
	const struct buffer *headers = &answer->headers;

	if (!headers->length)
		return NULL;
	name = name ? *ret_value + strlen(*ret_value) + 1 : headers->data;
	if (name == headers->data + headers->length)
		return NULL;
	*ret_value = name + strlen(name) + 1;
	return name;
}

uint64_t answer_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_A_SECOND + (uint64_t)now.tv_nsec;
}

bool answer_wait_until(uint64_t until_ns, const struct answer_way *way, int client)
{
	struct pollfd watched[] = {
		{ .fd = way->ending, .events = POLLIN },
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

static enum MHD_Result add_headers(const struct answer *answer, struct MHD_Response *response)
{
	const char *value = NULL;
	enum MHD_Result result = MHD_YES;

	for (const char *name = answer_next_header(answer, NULL, &value); name && result == MHD_YES;
	     name = answer_next_header(answer, name, &value))
		result = MHD_add_response_header(response, name, value);
	if (result == MHD_YES && !MHD_get_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE))
		result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
		                                 answer->type);
	return result;
}

/* A MHD_ContentReaderCallback. */
static ssize_t read_filled(void *userdata, uint64_t offset, char *ret, size_t size)
{
	const struct answer *answer = userdata;
	uint64_t left = fillings_length(&answer->fillings, &answer->body) - offset;
	size_t length = left < size ? (size_t)left : size;

	fillings_read(&answer->fillings, &answer->body, offset, ret, length);
	return (ssize_t)length;
}

static struct MHD_Response *make_response(struct answer *answer)
{
	if (!answer->fillings.count)
		return MHD_create_response_from_buffer(answer->body.length, answer->body.data,
		                                       MHD_RESPMEM_PERSISTENT);
	return MHD_create_response_from_callback(fillings_length(&answer->fillings, &answer->body),
	                                         PIECE_SIZE, read_filled, answer, NULL);
}

bool answer_send(struct answer *answer, const struct answer_way *way)
{
	uint64_t due_ns = way->received_ns + (uint64_t)answer->delay_ms * NS_A_MILLISECOND;
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!answer_wait_until(due_ns, way, -1))
		return false;
	if (delivery_is_special(&answer->delivery)) {
		delivery_send(answer, way);
		return false;
	}

	response = make_response(answer);
	if (!response)
		return false;
	result = add_headers(answer, response);
	if (result == MHD_YES)
		result = MHD_queue_response(way->connection, answer->status, response);
	MHD_destroy_response(response);
	return result == MHD_YES;
}
