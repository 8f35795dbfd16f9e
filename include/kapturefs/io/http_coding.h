#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * A part of http: the body of a reply, unpacked as its Content-Encoding says.
 *
 * gzip and deflate are known. Servers name others that are none, such as utf-8: a body is as it
 * stands then, and whoever cannot read it may tell the name.
 */

#include <stdbool.h>
#include <stddef.h>
/* Input is const. */
#define ZLIB_CONST
#include <zlib.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

/** The codings for `Accept-Encoding`. */
#define HTTP_CODINGS "gzip, deflate"

struct http_coding {
	bool is_packed;
	bool is_open; /* the stream is to be ended */
	bool is_over; /* what was packed has come to its end */
	z_stream stream;
	char unknown[32]; /* the first coding that is not known, or empty */
};

/** Begin with a body as it stands. */
void http_coding_init(struct http_coding *coding);
void http_coding_fini(struct http_coding *coding);

/** Take the value of a header Content-Encoding; several add up. */
void http_coding_note(struct http_coding *coding, const char *value, size_t length);

/**
 * Append what @length bytes of the body unpack to to @body. Returns 0, -EPROTO when they are not
 * packed as they should be, -EFBIG, -ENOMEM.
 */
int http_coding_unpack(struct http_coding *coding, const char *bytes, size_t length,
                       struct buffer *body) must_check;

/** Whether a body that has come as a whole, on the wire, is one also when unpacked. */
bool http_coding_is_whole(const struct http_coding *coding);
