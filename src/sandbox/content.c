/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "kapturefs/sandbox/content.h"

static const struct {
	const char *name;
	enum content_base base;
	uint32_t size; /* the default of those that have one */
} facts[CONTENTS] = {
	[CONTENT_HONEST] = { NULL, BASE_HONEST, 0 },
	[CONTENT_BODY] = { NULL, BASE_NOTHING, 0 },
	[CONTENT_ABSENT] = { "absent", BASE_ABSENT, 0 },
	[CONTENT_REFUSED] = { "refused", BASE_REFUSED, 0 },
	[CONTENT_EMPTY] = { "empty", BASE_NOTHING, 0 },
	[CONTENT_HTML] = { "html", BASE_NOTHING, 0 },
	[CONTENT_SWAPPED] = { "swapped", BASE_OTHER, 0 },
	[CONTENT_WRONG_TYPES] = { "wrong-types", BASE_HONEST, 0 },
	[CONTENT_CUT_JSON] = { "cut-json", BASE_HONEST, 0 },
	[CONTENT_TWICE] = { "twice", BASE_HONEST, 0 },
	[CONTENT_NOT_UTF8] = { "not-utf8", BASE_HONEST, 0 },
	[CONTENT_DEEP] = { "deep", BASE_HONEST, 1000 },
	[CONTENT_MANY] = { "many", BASE_HONEST, 1 << 21 },
	[CONTENT_HUGE] = { "huge", BASE_HONEST, 16 << 20 },
	[CONTENT_BOMB] = { "gzip-bomb", BASE_HONEST, 64 << 20 },
};

enum content_base content_base(enum content content)
{
	return facts[content].base;
}

const char *content_name(enum content content)
{
	return facts[content].name;
}

enum content content_find(const char *name)
{
	enum content content = 0;

	while (content < CONTENTS && (!facts[content].name || strcmp(facts[content].name, name)))
		content++;
	return content;
}

bool content_has_size(enum content content)
{
	return facts[content].size > 0;
}

/* As api.c and customers write a customer that was found. */
static const char opening[] = "{\"Customer Details\": {";
static const char closing[] = "},\"status\": \"success\"}";

/*
 * Open the object of the customer behind its last member, for one more, and an object of no
 * customer if none was found.
 */
static int open_customer(struct buffer *body)
{
	const size_t end = strlen(closing);

	if (body->length > end && strcmp(body->data + body->length - end, closing) == 0) {
		body->length -= end;
	} else {
		int r;

		buffer_clear(body);
		r = buffer_append_text(body, opening);
		if (!r)
			r = buffer_append_text(body, "\"id\":0");
		if (r)
			return r;
	}
	return buffer_append_text(body, ",\"fault\":");
}

/* @text, a literal, @count times behind what there is. */
static void repeat(struct answer *answer, const char *text, uint64_t count)
{
	size_t length = strlen(text);

	fillings_add(&answer->fillings,
	             &(struct filling){ answer->body.length, text, length, length * count });
}

static int add_value(enum content content, uint32_t size, struct answer *answer)
{
	struct buffer *body = &answer->body;
	int r;

	if (content == CONTENT_NOT_UTF8)
		return buffer_append_text(body, "\"\xff\xfe\"");
	if (content == CONTENT_DEEP) {
		repeat(answer, "[", size);
		repeat(answer, "]", size);
		return 0;
	}
	if (content == CONTENT_MANY) {
		r = buffer_append_text(body, "[0");
		repeat(answer, ",0", size - 1);
		return r ? r : buffer_append_text(body, "]");
	}
	r = buffer_append_text(body, "\"");
	repeat(answer, "x", size);
	return r ? r : buffer_append_text(body, "\"");
}

/* The customer with one member more. */
static int add_member(enum content content, uint32_t size, struct answer *answer)
{
	int r;

	r = open_customer(&answer->body);
	if (!r)
		r = add_value(content, size, answer);
	return r ? r : buffer_append_text(&answer->body, closing);
}

/* Whatever stands under Customer Details becomes the only element of an array. */
static int wrap(struct buffer *body)
{
	cleanup(buffer_fini) struct buffer whole;
	const size_t begin = strlen(opening) - 1;
	const char *end = body->data ? strstr(body->data, ",\"status\"") : NULL;
	int r;

	for (const char *next = end; next; next = strstr(next + 1, ",\"status\""))
		end = next;
	if (!end || strncmp(body->data, opening, begin) != 0)
		return 0;
	buffer_init(&whole, body->size_max);
	r = buffer_append(&whole, body->data, begin);
	if (!r)
		r = buffer_append_text(&whole, "[");
	if (!r)
		r = buffer_append(&whole, body->data + begin, (size_t)(end - body->data) - begin);
	if (!r)
		r = buffer_append_text(&whole, "],\"status\": \"success\"}");
	if (r)
		return r;
	buffer_clear(body);
	return buffer_append(body, whole.data, whole.length);
}

static int deflate_all(z_stream *stream, int flush, struct buffer *packed)
{
	unsigned char output[4096];
	int r = 0;

	do {
		stream->next_out = output;
		stream->avail_out = sizeof(output);
		if (deflate(stream, flush) == Z_STREAM_ERROR)
			return -ENOMEM;
		r = buffer_append(packed, output, sizeof(output) - stream->avail_out);
	} while (!r && !stream->avail_out);
	return r;
}

/* The answer behind @size blanks, which JSON allows, packed. */
static int pack(struct buffer *body, uint32_t size, struct buffer *packed)
{
	enum { GZIP = 15 + 16 };
	unsigned char blanks[1 << 15];
	z_stream stream = { .next_in = NULL };
	int r = 0;

	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	memset(blanks, ' ', sizeof(blanks));
	for (size_t left = size; !r && left;) {
		size_t length = left < sizeof(blanks) ? left : sizeof(blanks);

		stream.next_in = blanks;
		stream.avail_in = (uInt)length;
		r = deflate_all(&stream, Z_NO_FLUSH, packed);
		left -= length;
	}
	stream.next_in = (const unsigned char *)body->data;
	stream.avail_in = (uInt)body->length;
	if (!r)
		r = deflate_all(&stream, Z_FINISH, packed);
	(void)deflateEnd(&stream);
	return r;
}

static int make_bomb(struct answer *answer, uint32_t size)
{
	cleanup(buffer_fini) struct buffer packed;
	int r;

	buffer_init(&packed, answer->body.size_max);
	r = pack(&answer->body, size, &packed);
	if (!r)
		r = answer_add_header(answer, "Content-Encoding", "gzip");
	if (r)
		return r;
	buffer_clear(&answer->body);
	return buffer_append(&answer->body, packed.data, packed.length);
}

static int say_html(struct answer *answer)
{
	static const char page[] = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>"
	                           "<body><form method=\"post\"></form></body></html>\n";

	answer->type = "text/html; charset=utf-8";
	return answer_say(answer, answer->status, page, strlen(page));
}

static int say_twice(struct buffer *body)
{
	cleanup(buffer_fini) struct buffer copy;
	int r;

	buffer_init(&copy, body->size_max);
	r = buffer_append(&copy, body->data, body->length);
	return r ? r : buffer_append(body, copy.data, copy.length);
}

int content_make(enum content content, uint32_t size, struct answer *answer)
{
	if (!size)
		size = facts[content].size;
	switch (content) {
	case CONTENT_HONEST:
	case CONTENT_BODY:
	case CONTENT_ABSENT:
	case CONTENT_REFUSED:
	case CONTENT_SWAPPED:
	case CONTENT_EMPTY:
	case CONTENTS:
		break;
	case CONTENT_HTML:
		return say_html(answer);
	case CONTENT_WRONG_TYPES:
		return wrap(&answer->body);
	case CONTENT_CUT_JSON:
		answer->body.length /= 2;
		break;
	case CONTENT_TWICE:
		return say_twice(&answer->body);
	case CONTENT_NOT_UTF8:
	case CONTENT_DEEP:
	case CONTENT_MANY:
	case CONTENT_HUGE:
		return add_member(content, size, answer);
	case CONTENT_BOMB:
		return make_bomb(answer, size);
	}
	return 0;
}
