/* SPDX-License-Identifier: MIT */
/*
 * Names both ways, and keys: two bytes of salt, then two names separated by a NUL byte, of which
 * the second may hold anything.
 */

#include <utf8proc.h>

#include "fuzz.h"
#include "kapturefs/base/utf8.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/naming.h"

enum { MARK_LENGTH = 17 };

static bool is_dangerous(uint32_t character)
{
	return character < ' ' || (character >= 0x7f && character < 0xa0) || character == '/' ||
	       character == 0x2028 || character == 0x2029 ||
	       utf8proc_get_property((int32_t)character)->ignorable;
}

/* A name that a file can have and a terminal can show. */
static void assert_safe(const char *name, size_t length)
{
	uint32_t character;
	size_t size;

	assert_in_range(length, 1, NAMING_LENGTH_MAX);
	assert_int_equal(name[length], '\0');
	assert_string_not_equal(name, ".");
	assert_string_not_equal(name, "..");
	for (size_t at = 0; at < length; at += size) {
		size = utf8_decode(name + at, length - at, &character);
		assert_true(size > 0);
		assert_false(is_dangerous(character));
	}
}

/* Nothing is lost: a name comes back, unless it was cut. Returns whether it was. */
static bool check_there_and_back(const char *name, size_t length, const char *encoded,
                                 size_t encoded_length)
{
	char back[NAMING_LENGTH_MAX];
	size_t back_length = SIZE_MAX;
	int r = naming_decode(encoded, encoded_length, back, &back_length);

	if (r == NAMING_CUT) {
		assert_true(encoded_length > NAMING_LENGTH_MAX - MARK_LENGTH - 12);
		return true;
	}
	assert_int_equal(r, 0);
	assert_int_equal(back_length, length);
	assert_memory_equal(back, name, length);
#ifdef PLANTED_DEFECT
	if (length == 4 && memcmp(back, "a/b%", 4) == 0)
		fail_msg("planted");
#endif
	return false;
}

/* What decodes is what would have been encoded: no two file names mean one member. */
static void check_back_and_there(const char *file, size_t length)
{
	cleanup(free_text) char *name = malloc(length + !length);
	char encoded[NAMING_LENGTH_MAX + 1];
	size_t name_length;

	assert_non_null(name);
	if (naming_decode(file, length, name, &name_length))
		return;
	assert_true(name_length <= length);
	assert_int_equal(naming_encode(name, name_length, 0, encoded), length);
	assert_memory_equal(encoded, file, length);
}

/* The name that is listed leads back, whatever was typed and whether as a text or a name. */
static void check_name(uint32_t country, const struct key *key)
{
	char name[KEY_NAME_SIZE];
	struct key read;

	key_print_name(key, name);
	assert_null(strchr(name, '/'));
	assert_in_range(strlen(name), 1, KEY_NAME_SIZE - 1);
	assert_int_equal(key_parse_name(country, key->kind, name, strlen(name), &read), 0);
	assert_true(key_equal(&read, key));
	assert_true(key_is_canonical(country, key));
}

static void check_key(uint32_t country, enum key_kind kind, const char *name, size_t length)
{
	struct key key;
	struct key again;
	size_t key_length;

	if (key_parse_name(country, kind, name, length, &key) == 0)
		check_name(country, &key);
	if (key_parse_typed(country, kind, name, length, &key))
		return;
	check_name(country, &key);
	key_length = strlen(key.text);
	assert_in_range(key_length, 1, KEY_TEXT_MAX);
	assert_null(memchr(key.text, '/', kind == KEY_EMAIL ? 0 : key_length));
	assert_int_equal(key_parse_typed(country, kind, key.text, key_length, &again), 0);
	assert_true(key_equal(&key, &again));
	assert_true(key_is_spelled(&key, key.text, key_length));
	assert_int_equal(key_is_spelled(&key, name, length),
	                 length == key_length && memcmp(name, key.text, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct input input = { bytes, length };
	uint32_t salt = input_number(&input);
	struct input first = input_until(&input, '\0');
	const struct input *parts[] = { &first, &input };
	char encoded[2][NAMING_LENGTH_MAX + 1];
	char salted[NAMING_LENGTH_MAX + 1];
	bool is_cut[2];

	for (size_t i = 0; i < array_length(parts); i++) {
		cleanup(free_text) char *name = input_copy(parts[i], false);
		size_t size = naming_encode(name, parts[i]->length, 0, encoded[i]);

		assert_safe(encoded[i], size);
		is_cut[i] = check_there_and_back(name, parts[i]->length, encoded[i], size);
		assert_int_equal(naming_encode(name, parts[i]->length, salt, salted), size);
		assert_true(is_cut[i] || strcmp(salted, encoded[i]) == 0);
		check_back_and_there(name, parts[i]->length);
		for (int kind = 0; kind < KEY_KINDS; kind++)
			check_key(salt % 3 ? 0 : salt % 1000, (enum key_kind)kind, name,
			          parts[i]->length);
	}
	if (!is_cut[0] || !is_cut[1])
		assert_int_equal(strcmp(encoded[0], encoded[1]) == 0,
		                 first.length == input.length &&
		                         memcmp(first.bytes, input.bytes, input.length) == 0);
	return 0;
}
