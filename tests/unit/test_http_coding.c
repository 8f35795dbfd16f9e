/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "kapturefs/io/http_coding.h"

enum {
	LIMIT = 100000,
	ROOM = 4096,
	/* zlib's window bits. */
	GZIP = 31,
	ZLIB = 15,
	BARE = -15,
};

static const char text[] =
        "{\"status\":\"success\",\"padding\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}";

/* Pack @length bytes @times behind one another in one stream. Returns the size. */
static size_t pack(int format, const char *bytes, size_t length, int times, char *packed)
{
	z_stream stream = { .next_out = (unsigned char *)packed, .avail_out = ROOM };

	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY), 0);
	for (int i = 0; i < times; i++) {
		stream.next_in = (const unsigned char *)bytes;
		stream.avail_in = (unsigned)length;
		assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
	}
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(deflateEnd(&stream), 0);
	return stream.total_out;
}

struct fixture {
	struct http_coding coding;
	struct buffer body;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	http_coding_init(&fixture.coding);
	buffer_init(&fixture.body, LIMIT);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	http_coding_fini(&fixture->coding);
	buffer_fini(&fixture->body);
	return 0;
}

/* Begin anew with @value in the header. */
static void note(struct fixture *fixture, const char *value)
{
	http_coding_fini(&fixture->coding);
	buffer_clear(&fixture->body);
	http_coding_note(&fixture->coding, value, strlen(value));
}

static int unpack(struct fixture *fixture, const char *bytes, size_t length, size_t piece)
{
	int r = 0;

	for (size_t at = 0; !r && at < length; at += piece)
		r = http_coding_unpack(&fixture->coding, bytes + at,
		                       length - at < piece ? length - at : piece, &fixture->body);
	return r;
}

static void assert_unpacks(struct fixture *fixture, const char *bytes, size_t length)
{
	assert_int_equal(unpack(fixture, bytes, length, length), 0);
	assert_int_equal(fixture->body.length, strlen(text));
	assert_memory_equal(fixture->body.data, text, strlen(text));
	assert_true(http_coding_is_whole(&fixture->coding));
}

static void test_what_is_no_coding_is_read_as_it_stands(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "identity", "" },
		{ " Identity \r\n", "" },
		{ "identity, ,identity", "" },
		{ "utf-8", "utf-8" },
		{ " UTF-8\r\n", "UTF-8" },
		{ "none", "none" },
		{ "none, utf-8", "none" },
		{ "br", "br" },
		{ "gzipped", "gzipped" },
		{ "a\x01\xff z", "a??\?z" },
		{ "a-name-that-is-longer-than-any-that-makes-sense",
		  "a-name-that-is-longer-than-any-" },
	};

	for (size_t i = 0; i < array_length(rows); i++) {
		struct fixture *fixture = *state;

		note(fixture, rows[i][0]);
		assert_unpacks(fixture, text, strlen(text));
		assert_string_equal(fixture->coding.unknown, rows[i][1]);
	}
}

static void test_what_is_packed_is_unpacked_whatever_else_is_named(void **state)
{
	static const struct {
		const char *value;
		int format;
	} rows[] = {
		{ "gzip", GZIP },        { "x-gzip", GZIP },        { " GZip \r\n", GZIP },
		{ "deflate", ZLIB },     { "deflate", BARE },       { "deflate", GZIP },
		{ "utf-8, gzip", GZIP }, { "gzip,identity", GZIP }, { "gzip, utf-8", GZIP },
	};
	struct fixture *fixture = *state;
	char packed[ROOM];

	for (size_t i = 0; i < array_length(rows); i++) {
		size_t size = pack(rows[i].format, text, strlen(text), 1, packed);

		note(fixture, rows[i].value);
		assert_unpacks(fixture, packed, size);
		/* Nor does it matter in what pieces it comes. */
		note(fixture, rows[i].value);
		assert_int_equal(unpack(fixture, packed, size, 1), 0);
		assert_int_equal(fixture->body.length, strlen(text));
		assert_true(http_coding_is_whole(&fixture->coding));
	}
}

static void test_several_headers_add_up(void **state)
{
	struct fixture *fixture = *state;
	char packed[ROOM];
	size_t size = pack(GZIP, text, strlen(text), 1, packed);

	note(fixture, "utf-8");
	http_coding_note(&fixture->coding, "gzip", 4);
	assert_unpacks(fixture, packed, size);
	assert_string_equal(fixture->coding.unknown, "utf-8");
}

static void test_joined_gzip_is_read_to_its_end(void **state)
{
	struct fixture *fixture = *state;
	char packed[2 * ROOM];
	size_t first = pack(GZIP, text, 10, 1, packed);
	size_t size = first + pack(GZIP, text + 10, strlen(text) - 10, 1, packed + first);

	note(fixture, "gzip");
	assert_unpacks(fixture, packed, size);
	note(fixture, "gzip");
	assert_int_equal(unpack(fixture, packed, first, first), 0);
	assert_unpacks(fixture, packed + first, size - first);
}

static void test_what_is_cut_short_is_not_whole(void **state)
{
	struct fixture *fixture = *state;
	char packed[ROOM];
	size_t size = pack(GZIP, text, strlen(text), 1, packed);

	for (size_t length = 1; length < size; length++) {
		note(fixture, "gzip");
		assert_int_equal(unpack(fixture, packed, length, length), 0);
		assert_false(http_coding_is_whole(&fixture->coding));
	}
	/* Nothing at all is no body, as of a 204. */
	note(fixture, "gzip");
	assert_true(http_coding_is_whole(&fixture->coding));
}

static void test_what_is_not_packed_as_it_says_is_eproto(void **state)
{
	struct fixture *fixture = *state;
	char packed[ROOM];
	size_t size = pack(GZIP, text, strlen(text), 1, packed);

	note(fixture, "gzip");
	assert_int_equal(unpack(fixture, text, strlen(text), strlen(text)), -EPROTO);
	packed[size - 6] ^= 1; /* of the checksum */
	note(fixture, "gzip");
	assert_int_equal(unpack(fixture, packed, size, size), -EPROTO);
}

static void test_a_bomb_ends_at_the_limit(void **state)
{
	static const char zeros[10000];
	struct fixture *fixture = *state;
	char packed[ROOM];
	size_t size;

	size = pack(GZIP, zeros, sizeof(zeros), LIMIT / sizeof(zeros), packed);
	note(fixture, "gzip");
	assert_int_equal(unpack(fixture, packed, size, size), 0);
	assert_int_equal(fixture->body.length, LIMIT);
	size = pack(GZIP, zeros, sizeof(zeros), LIMIT / sizeof(zeros) + 1, packed);
	note(fixture, "gzip");
	assert_int_equal(unpack(fixture, packed, size, size), -EFBIG);
	assert_true(fixture->body.length <= LIMIT);
}

#define with_a_coding(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_a_coding(test_what_is_no_coding_is_read_as_it_stands),
		with_a_coding(test_what_is_packed_is_unpacked_whatever_else_is_named),
		with_a_coding(test_several_headers_add_up),
		with_a_coding(test_joined_gzip_is_read_to_its_end),
		with_a_coding(test_what_is_cut_short_is_not_whole),
		with_a_coding(test_what_is_not_packed_as_it_says_is_eproto),
		with_a_coding(test_a_bomb_ends_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
