/* SPDX-License-Identifier: MIT */
/* See https://www.sqlite.org/fileformat2.html, "The Database Header". */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kapturefs/io/database.h"
#include "kapturefs/io/database_header.h"

enum { APPLICATION_AT = 68 };

/* The NUL belongs to it. */
static const char magic[16] = "SQLite format 3";

static int32_t application_of(const unsigned char *header)
{
	const unsigned char *bytes = header + APPLICATION_AT;

	return (int32_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
	                 (uint32_t)bytes[2] << 8 | bytes[3]);
}

/*
 * What bears our mark is ours, damaged or not; and so is what nobody else can miss: all zeros, or
 * cut short within the header.
 */
int database_judge(const unsigned char header[DATABASE_HEADER_SIZE], int64_t size,
                   int32_t application_id)
{
	static const unsigned char zeros[DATABASE_HEADER_SIZE];
	size_t length = size < DATABASE_HEADER_SIZE ? (size_t)size : DATABASE_HEADER_SIZE;
	size_t magic_length = length < sizeof(magic) ? length : sizeof(magic);
	bool has_magic = memcmp(header, magic, magic_length) == 0;

	if (application_of(header) == application_id)
		return has_magic ? 0 : DATABASE_DAMAGED;
	if (memcmp(header, zeros, length) == 0 || (length < DATABASE_HEADER_SIZE && has_magic))
		return DATABASE_DAMAGED;
	return DATABASE_FOREIGN;
}
