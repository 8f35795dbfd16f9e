#pragma once
/* SPDX-License-Identifier: MIT */
/* JSON written piece by piece, indented for people. The first error is kept and ends it. */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

struct json_writer {
	struct buffer *text;
	int error;
	int depth;
	bool is_first; /* of its object or array */
};

struct json_writer json_begin(struct buffer *text);

/** End with a newline. Returns 0 or the first error. */
int json_end(struct json_writer *writer) must_check;

/*
 * Add a value, @name NULL for an element of an array. Text that is no UTF-8 is written with `?` for
 * every byte that is not ASCII.
 */
void json_text(struct json_writer *writer, const char *name, const char *text);
void json_number(struct json_writer *writer, const char *name, uint64_t number);
void json_thousandths(struct json_writer *writer, const char *name, uint64_t number);
void json_flag(struct json_writer *writer, const char *name, bool flag);

/** Open an object or an array with its @bracket, and close it. */
void json_open(struct json_writer *writer, const char *name, char bracket);
void json_close(struct json_writer *writer, char bracket);
