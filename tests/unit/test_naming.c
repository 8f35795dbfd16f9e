/* SPDX-License-Identifier: MIT */

#include <search.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <utf8proc.h>

#include "convert.h"
#include "kapturefs/base/base.h"
#include "kapturefs/model/naming.h"

enum {
	RANDOM_ROUNDS = 50000,
	NAME_MAX_LENGTH = 400,
	SCRAPS_MAX = 60,
};

/* A name as the API could send it: any bytes. */
struct name {
	size_t length;
	char bytes[NAME_MAX_LENGTH];
};

struct bytes {
	const char *start;
	size_t length;
};

#define BYTES(text)                                                                                \
	{                                                                                          \
		text, sizeof(text) - 1,                                                            \
	}

static void append(struct name *name, const char *bytes, size_t length)
{
	if (length > sizeof(name->bytes) - name->length)
		return;
	memcpy(name->bytes + name->length, bytes, length);
	name->length += length;
}

static bool is_cut(const char *file)
{
	size_t length = strlen(file);

	return length > 17 && file[length - 17] == '~' &&
	       strspn(file + length - 16, "0123456789abcdef") == 16;
}

/* By another's table, not ours. */
static bool is_ignorable(uint32_t character)
{
	return character < 0x110000 && utf8proc_get_property((int32_t)character)->ignorable;
}

static bool is_dangerous(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == '/' ||
	       (character >= 0x2028 && character <= 0x2029) || is_ignorable(character);
}

static void assert_file_name(const char *file, size_t length)
{
	uint32_t characters[NAMING_LENGTH_MAX + 1];
	size_t size;

	assert_int_equal(strlen(file), length);
	assert_in_range(length, 1, NAMING_LENGTH_MAX);
	assert_string_not_equal(file, ".");
	assert_string_not_equal(file, "..");
	size = convert("UTF-32LE", "UTF-8", file, length, characters, sizeof(characters));
	assert_int_not_equal(size, SIZE_MAX);
	for (size_t i = 0; i < size / sizeof(*characters); i++) {
		if (is_dangerous(characters[i]))
			fail_msg("U+%04X in a file name", characters[i]);
	}
}

/* Encode from and into memory that ends where the header says that it may. */
static char *encode(const struct name *name, uint32_t salt)
{
	char *bytes = malloc(name->length + !name->length);
	char *file = malloc(NAMING_LENGTH_MAX + 1);

	assert_true(bytes && file);
	memcpy(bytes, name->bytes, name->length);
	assert_file_name(file, naming_encode(bytes, name->length, salt, file));
	free(bytes);
	return file;
}

static void assert_decodes(const char *file, int expected, const char *name, size_t length)
{
	size_t file_length = strlen(file);
	char *exact = malloc(file_length + !file_length);
	char *decoded = malloc(file_length + !file_length);
	size_t decoded_length = 12345;
	int r;

	assert_true(exact && decoded);
	memcpy(exact, file, file_length);
	r = naming_decode(exact, file_length, decoded, &decoded_length);
	free(exact);
	if (r != expected)
		fail_msg("%s: outcome %d, not %d", file, r, expected);
	assert_int_equal(decoded_length, expected ? 12345 : length);
	if (!expected)
		assert_memory_equal(decoded, name, length);
	free(decoded);
}

static void assert_both_ways(const char *name, size_t length, const char *file)
{
	char encoded[NAMING_LENGTH_MAX + 1];

	assert_int_equal(naming_encode(name, length, 0, encoded), strlen(file));
	assert_string_equal(encoded, file);
	assert_decodes(file, 0, name, length);
}

static void test_names_that_a_file_can_have_stay_as_they_are(void **state)
{
	static const char *const names[] = { "name", " ", "...", ".hidden", "a.",
		                             "-rf",  "*", "\\",  "~",       "a b" };
	static const char *const characters[] = {
		"\xc3\xaf",     "\xc2\xa0",         "\xe2\x80\x8a",     "\xe2\x80\x90",
		"\xe2\x80\xa7", "\xe2\x80\xaf",     "\xe2\x81\x9f",     "\xe2\x81\xb0",
		"\xef\xbf\xbc", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xf3\xa1\x80\x80",
	};
	static const char *const unmarked[] = { "a~0123456789abcdeg", "a~0123456789ABCDEF",
		                                "a~0123456789abcde", "~0123456789abcdef~" };

	(void)state;
	for (size_t i = 0; i < array_length(names); i++)
		assert_both_ways(names[i], strlen(names[i]), names[i]);
	for (size_t i = 0; i < array_length(characters); i++)
		assert_both_ways(characters[i], strlen(characters[i]), characters[i]);
	for (size_t i = 0; i < array_length(unmarked); i++)
		assert_both_ways(unmarked[i], strlen(unmarked[i]), unmarked[i]);
}

static void test_names_that_a_file_cannot_have_are_encoded(void **state)
{
	static const struct {
		struct bytes name;
		const char *file;
	} cases[] = { { BYTES(""), "%" },
		      { BYTES("."), "%2E" },
		      { BYTES(".."), "%2E%2E" },
		      { BYTES("a/b"), "a%2Fb" },
		      { BYTES("/"), "%2F" },
		      { BYTES("50%"), "50%25" },
		      { BYTES("%"), "%25" },
		      { BYTES("%2F"), "%252F" },
		      { BYTES("nul\0"), "nul%00" },
		      { BYTES("\0"), "%00" },
		      { BYTES("tab\there"), "tab%09here" },
		      { BYTES("\x1b[31m"), "%1B[31m" },
		      { BYTES("del\x7f"), "del%7F" },
		      { BYTES("\xc2\x80"), "%C2%80" },
		      { BYTES("\xc2\x9f"), "%C2%9F" },
		      { BYTES("\xd8\x9c"), "%D8%9C" },
		      { BYTES("\xe2\x80\x8e\xe2\x80\x8f"), "%E2%80%8E%E2%80%8F" },
		      { BYTES("\xe2\x80\xa8"), "%E2%80%A8" },
		      { BYTES("a\xe2\x80\xaegnp"), "a%E2%80%AEgnp" },
		      { BYTES("\xe2\x81\xa6\xe2\x81\xa9"), "%E2%81%A6%E2%81%A9" },
		      { BYTES("na\xe2\x80\x8bme"), "na%E2%80%8Bme" },
		      { BYTES("\xc2\xad"), "%C2%AD" },
		      { BYTES("a\xf3\xa0\x81\xa1"), "a%F3%A0%81%A1" },
		      { BYTES("\xff"), "%FF" },
		      { BYTES("\xc3"), "%C3" },
		      { BYTES("\xc3x"), "%C3x" },
		      { BYTES("\xc0\xaf"), "%C0%AF" },
		      { BYTES("\xe0\x9f\xbf"), "%E0%9F%BF" },
		      { BYTES("\xed\xa0\x80"), "%ED%A0%80" },
		      { BYTES("\xf4\x90\x80\x80"), "%F4%90%80%80" },
		      { BYTES("\xe2\x82\xe2\x82\xac"), "%E2%82\xe2\x82\xac" },
		      { BYTES("~0123456789abcdef"), "%7E0123456789abcdef" },
		      { BYTES("a~~0123456789abcdef"), "a~%7E0123456789abcdef" } };

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++)
		assert_both_ways(cases[i].name.start, cases[i].name.length, cases[i].file);
}

static void test_what_cannot_be_seen_is_what_unicode_has_as_ignorable(void **state)
{
	(void)state;
	for (uint32_t character = 0; character < 0x110000; character++) {
		if (is_ignorable(character) && naming_is_shown(character))
			fail_msg("U+%04X is shown", character);
	}
}

static void test_file_names_that_no_member_has_are_foreign(void **state)
{
	static const char *const files[] = { "",      ".",        "..",          "a/b",   "a\x01",
		                             "%%",    "%2",       "%2f",         "%c3",   "%G0",
		                             "%0G",   "a%",       "%41",         "%2E.",  ".%2E",
		                             "%7E",   "%20",      "%2F%",        "%7E01", "\xff",
		                             "a\xc3", "\xc2\x80", "\xe2\x80\xae" };
	static const char *const long_files[] = {
		"%2E%2E%2", "%2E%2E%2E", "%C3%AF", "%E2%82%AC", "%F0%9F%98%80x", "~0123456789abcdef"
	};

	(void)state;
	for (size_t i = 0; i < array_length(files); i++)
		assert_decodes(files[i], NAMING_FOREIGN, NULL, 0);
	for (size_t i = 0; i < array_length(long_files); i++)
		assert_decodes(long_files[i], NAMING_FOREIGN, NULL, 0);
}

static void test_a_file_name_with_a_nul_or_beyond_the_maximum_is_foreign(void **state)
{
	char name[NAMING_LENGTH_MAX + 1];
	char decoded[NAMING_LENGTH_MAX + 1];
	size_t length;

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_int_equal(naming_decode(name, sizeof(name), decoded, &length), NAMING_FOREIGN);
	assert_int_equal(naming_decode(name, sizeof(name) - 1, decoded, &length), 0);
	assert_int_equal(naming_decode("a\0b", 3, decoded, &length), NAMING_FOREIGN);
}

/* The hashes were computed by an implementation of SipHash-2-4 apart from this one. */
static void test_a_long_name_is_cut_and_hashed_the_same_everywhere(void **state)
{
	struct name name = { .length = 256 };
	char *file;

	(void)state;
	memset(name.bytes, 'n', sizeof(name.bytes));
	file = encode(&name, 0);
	assert_int_equal(strlen(file), NAMING_LENGTH_MAX);
	assert_int_equal(strspn(file, "n"), 238);
	assert_string_equal(file + 238, "~40e329defb52aa1a");
	free(file);

	name.length = 301;
	file = encode(&name, 7);
	assert_string_equal(file + 238, "~96f5bf3a76a73f8d");
	free(file);
}

static void test_the_longest_name_that_is_kept_has_255_bytes(void **state)
{
	static const struct {
		const char *last;
		size_t room;
	} cases[] = { { "n", 1 },
		      { "\xc3\xaf", 2 },
		      { "/", 3 },
		      { "\xe2\x80\xae", 9 },
		      { "\xf3\xa0\x81\xa1", 12 } };

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		for (size_t length = 235; length < NAMING_LENGTH_MAX; length++) {
			struct name name = { .length = length };
			bool fits = length + cases[i].room <= NAMING_LENGTH_MAX;
			char *file;

			memset(name.bytes, 'n', length);
			memcpy(name.bytes + length, cases[i].last, strlen(cases[i].last));
			name.length += strlen(cases[i].last);
			file = encode(&name, 0);
			assert_int_equal(is_cut(file), !fits);
			assert_decodes(file, fits ? 0 : NAMING_CUT, name.bytes, name.length);
			free(file);
		}
	}
}

static void test_a_cut_is_not_within_a_character_or_its_escapes(void **state)
{
	static const struct {
		struct bytes unit;
		size_t room;
	} cases[] = { { BYTES("\xc3\xaf"), 2 },         { BYTES("\xe2\x82\xac"), 3 },
		      { BYTES("\xf0\x9f\x98\x80"), 4 }, { BYTES("/"), 3 },
		      { BYTES("\xc2\x80"), 6 },         { BYTES("\xe2\x80\xae"), 9 } };

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		for (size_t before = 220; before <= 238; before++) {
			struct name name = { .length = before };
			size_t room = cases[i].room;
			char *file;

			memset(name.bytes, 'n', before);
			for (int k = 0; k < 40; k++)
				append(&name, cases[i].unit.start, cases[i].unit.length);
			file = encode(&name, 0);
			assert_int_equal(strlen(file), before + (238 - before) / room * room + 17);
			assert_decodes(file, NAMING_CUT, NULL, 0);
			free(file);
		}
	}
}

static void test_names_that_look_cut_but_cannot_be_are_foreign(void **state)
{
	static const struct {
		size_t stem;
		int outcome;
	} cases[] = { { 0, NAMING_FOREIGN }, { 226, NAMING_FOREIGN }, { 227, NAMING_CUT },
		      { 238, NAMING_CUT },   { 239, NAMING_FOREIGN }, { 300, NAMING_FOREIGN } };

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		char file[400];

		memset(file, 'n', sizeof(file));
		memcpy(file + cases[i].stem, "~0123456789abcdef", 18);
		assert_decodes(file, cases[i].outcome, NULL, 0);
		if (cases[i].outcome != NAMING_CUT)
			continue;
		memcpy(file + 10, "/", 1);
		assert_decodes(file, NAMING_FOREIGN, NULL, 0);
		memcpy(file + 10, "%41", 3);
		assert_decodes(file, NAMING_FOREIGN, NULL, 0);
	}
}

/* Adding the two bytes of its escape pushes the name over the edge. */
static void test_a_name_that_looks_cut_is_cut_when_its_tilde_does_not_fit(void **state)
{
	struct name name = { .length = 253 };
	char *file;

	(void)state;
	for (; name.length <= NAMING_LENGTH_MAX; name.length++) {
		bool fits = name.length + 2 <= NAMING_LENGTH_MAX;

		memset(name.bytes, 'n', sizeof(name.bytes));
		memcpy(name.bytes + name.length - 17, "~0123456789abcdef", 17);
		file = encode(&name, 0);
		assert_int_equal(is_cut(file), !fits);
		assert_decodes(file, fits ? 0 : NAMING_CUT, name.bytes, name.length);
		if (!fits)
			assert_int_not_equal(strncmp(file, name.bytes, name.length), 0);
		free(file);
	}
}

/*
 * Scraps of a hostile text, from a stretch of it, so that names of every sort are short and long.
 */
static struct name random_name(unsigned *seed)
{
	static const char text[] = "nnnnn%2F%7E%%25~0~~/.../\n\x1b[31m\x7f\xe2\x80\xae\xe2\x80\xa8"
	                           "\xd8\x9c\xc2\x85\xed\xa0\x80\xc0\xaf\xf4\x90\xff\xc3\xafnn"
	                           "\xe2\x82\xac\xf0\x9f\x98\x80nnn";
	size_t start = (size_t)rand_r(seed) % sizeof(text);
	size_t stretch = 1 + (size_t)rand_r(seed) % (sizeof(text) - start);
	int scraps = rand_r(seed) % (rand_r(seed) % 2 ? 4 : SCRAPS_MAX);
	struct name name = { .length = 0 };

	if (rand_r(seed) % 4 == 0)
		append(&name, memset((char[250]){ 0 }, 'n', 250), 200 + (size_t)rand_r(seed) % 50);
	for (int i = 0; i < scraps; i++) {
		size_t at = start + (size_t)rand_r(seed) % stretch;
		size_t length = 1 + (size_t)rand_r(seed) % 8;
		char byte = (char)rand_r(seed);

		append(&name, text + at, at + length > sizeof(text) ? 1 : length);
		if (rand_r(seed) % 8 == 0)
			append(&name, &byte, 1);
	}
	if (rand_r(seed) % 4 == 0)
		append(&name, "~0123456789abcdef", 17);
	return name;
}

/* Check one name both ways and under a second salt. Returns its file name. */
static char *check(const struct name *name)
{
	char *file = encode(name, 0);
	char *salted = encode(name, 1);
	size_t stem = strlen(file) - 17;

	assert_decodes(file, is_cut(file) ? NAMING_CUT : 0, name->bytes, name->length);
	if (is_cut(file)) {
		assert_int_equal(strlen(salted), strlen(file));
		assert_memory_equal(salted, file, stem);
		assert_string_not_equal(salted, file);
		assert_in_range(stem, 230, 238);
	} else {
		assert_string_equal(salted, file);
	}
	free(salted);
	return file;
}

/* One of the names so far, in a tree by file name. */
struct known {
	char *file;
	struct name name;
};

static int compare(const void *left, const void *right)
{
	return strcmp(((const struct known *)left)->file, ((const struct known *)right)->file);
}

static void free_known(void *known)
{
	free(((struct known *)known)->file);
	free(known);
}

/* Takes @file. Returns whether it is new; if it is not, the name must not be either. */
static bool remember(void **tree, const struct name *name, char *file)
{
	struct known *added = malloc(sizeof(*added));
	struct known *found;

	assert_non_null(added);
	added->file = file;
	added->name = *name;
	found = *(struct known **)tsearch(added, tree, compare);
	assert_int_equal(found->name.length, name->length);
	assert_memory_equal(found->name.bytes, name->bytes, name->length);
	if (found != added)
		free_known(added);
	return found == added;
}

static void test_random_names_make_the_way_there_and_back_and_never_meet(void **state)
{
	unsigned seed = 20240507;
	void *tree = NULL;
	size_t names = 0;
	size_t cuts = 0;

	(void)state;
	for (int i = 0; i < RANDOM_ROUNDS; i++) {
		struct name name = random_name(&seed);
		char *file = check(&name);
		bool cut = is_cut(file);

		if (remember(&tree, &name, file)) {
			names++;
			cuts += cut;
		}
	}
	tdestroy(tree, free_known);
	/* The rounds are worth something only if they were different, and of both sorts. */
	assert_in_range(names, RANDOM_ROUNDS / 2, RANDOM_ROUNDS);
	assert_in_range(cuts, names / 10, names - names / 10);
}

/* Whatever is decoded is encoded to the same file name: decoding invents no second spelling. */
static void test_random_file_names_are_decoded_only_as_they_would_be_encoded(void **state)
{
	unsigned seed = 20240508;
	size_t known = 0;

	(void)state;
	for (int i = 0; i < RANDOM_ROUNDS; i++) {
		struct name file = random_name(&seed);
		struct name name;
		char again[NAMING_LENGTH_MAX + 1];

		if (naming_decode(file.bytes, file.length, name.bytes, &name.length) != 0)
			continue;
		known++;
		assert_true(name.length <= file.length);
		assert_int_equal(naming_encode(name.bytes, name.length, 0, again), file.length);
		assert_memory_equal(again, file.bytes, file.length);
	}
	assert_in_range(known, RANDOM_ROUNDS / 50, RANDOM_ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_that_a_file_can_have_stay_as_they_are),
		cmocka_unit_test(test_names_that_a_file_cannot_have_are_encoded),
		cmocka_unit_test(test_what_cannot_be_seen_is_what_unicode_has_as_ignorable),
		cmocka_unit_test(test_file_names_that_no_member_has_are_foreign),
		cmocka_unit_test(test_a_file_name_with_a_nul_or_beyond_the_maximum_is_foreign),
		cmocka_unit_test(test_a_long_name_is_cut_and_hashed_the_same_everywhere),
		cmocka_unit_test(test_the_longest_name_that_is_kept_has_255_bytes),
		cmocka_unit_test(test_a_cut_is_not_within_a_character_or_its_escapes),
		cmocka_unit_test(test_names_that_look_cut_but_cannot_be_are_foreign),
		cmocka_unit_test(test_a_name_that_looks_cut_is_cut_when_its_tilde_does_not_fit),
		cmocka_unit_test(test_random_names_make_the_way_there_and_back_and_never_meet),
		cmocka_unit_test(test_random_file_names_are_decoded_only_as_they_would_be_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
