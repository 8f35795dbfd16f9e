/* SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <string.h>

#include "kapturefs/base/utf8.h"
#include "kapturefs/model/date.h"
#include "kapturefs/model/fold.h"
#include "kapturefs/model/key.h"
#include "kapturefs/model/naming.h"

static const struct key_kind_facts facts[KEY_LISTINGS] = {
	[KEY_ID] = { "by-id", "id", "kapture_customer_id" },
	[KEY_PHONE] = { "by-phone", "phone", "phone" },
	[KEY_EMAIL] = { "by-email", "email", "email_id" },
	[KEY_DATE] = { "by-date", "date", NULL },
};

const struct key_kind_facts *key_kind_facts(enum key_kind kind)
{
	return &facts[kind];
}

/* The C library's own tests depend on the locale; a key does not. */
static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static char lower_case(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* What people type around a key */

static bool is_blank(uint32_t character)
{
	uint32_t meant = fold_to_ascii(character);

	return meant == ' ' || meant == FOLD_INVISIBLE;
}

/* The size of the character at the end, 0 if it is none. */
static size_t last_character(struct text text, uint32_t *ret)
{
	size_t size = 0;

	while (size < text.length && size < UTF8_LENGTH_MAX) {
		size++;
		if (utf8_decode(text.start + text.length - size, size, ret) == size)
			return size;
	}
	return 0;
}

void key_trim(struct text *text)
{
	uint32_t character;
	size_t size;

	while ((size = utf8_decode(text->start, text->length, &character)) && is_blank(character))
		text_skip(text, size);
	while ((size = last_character(*text, &character)) && is_blank(character))
		text->length -= size;
}

/* Whether it begins so, @prefix being in lower case. */
static bool begins_with(struct text text, const char *prefix)
{
	for (; *prefix; prefix++, text_skip(&text, 1)) {
		if (!text.length || lower_case(*text.start) != *prefix)
			return false;
	}
	return true;
}

static bool take_scheme(struct text *text, const char *scheme)
{
	if (!begins_with(*text, scheme))
		return false;
	text_skip(text, strlen(scheme));
	key_trim(text);
	return true;
}

/* Ids */

static int parse_id(uint32_t country, struct text text, char *ret)
{
	(void)country;
	if (text.length < 1 || text.length > KEY_DIGITS_MAX)
		return KEY_IMPOSSIBLE;

	for (size_t i = 0; i < text.length; i++) {
		if (!is_digit(text.start[i]))
			return KEY_IMPOSSIBLE;
	}

	while (text.length > 1 && *text.start == '0')
		text_skip(&text, 1);
	memcpy(ret, text.start, text.length);
	ret[text.length] = '\0';
	return 0;
}

/* Phone numbers */

struct phone {
	char digits[KEY_DIGITS_MAX + 1];
	size_t count;
	bool has_plus;
	size_t dots;
	size_t other_separators;
	/* Behind the last dot, until something else separates. */
	bool is_behind_dot;
	bool is_behind_other;
	size_t decimals;
	bool are_zeros;
};

static bool take_digit(struct phone *phone, char digit)
{
	if (phone->count == KEY_DIGITS_MAX)
		return false;
	phone->digits[phone->count++] = digit;
	phone->is_behind_dot = phone->is_behind_dot && !phone->is_behind_other;
	phone->decimals++;
	phone->are_zeros = phone->are_zeros && digit == '0';
	return true;
}

static bool take_character(struct phone *phone, uint32_t character)
{
	uint32_t meant = fold_to_ascii(character);

	if (meant >= '0' && meant <= '9')
		return take_digit(phone, (char)meant);
	switch (meant) {
	case '+':
		if (phone->has_plus || phone->count)
			return false;
		phone->has_plus = true;
		return true;
	case '.':
		phone->dots++;
		phone->is_behind_dot = true;
		phone->is_behind_other = false;
		phone->decimals = 0;
		phone->are_zeros = true;
		return true;
	case ' ':
	case '-':
	case '(':
	case ')':
		phone->other_separators++;
		phone->is_behind_other = true;
		return true;
	default:
		return meant == FOLD_INVISIBLE;
	}
}

/* `9380491326.0` and `9380491326.00`; but 01.23.45.67.00 is a number in France. */
static bool is_of_spreadsheet(const struct phone *phone)
{
	if (!phone->is_behind_dot || !phone->decimals || !phone->are_zeros)
		return false;
	return phone->decimals == 1 || (phone->dots == 1 && !phone->other_separators);
}

/*
 * The national number in @phone, or another country's with its code; NULL if there is none, or one
 * that would not be taken for itself.
 */
static const char *find_number(const struct phone *phone, uint32_t country)
{
	enum { ITALY = 39 };
	const char *number = phone->digits;
	bool is_national = !phone->has_plus;
	char code[sizeof("4294967295")];
	int length;

	if (is_national && strncmp(number, "00", 2) == 0) {
		number += 2;
		is_national = false;
	}
	length = snprintf(code, sizeof(code), "%u", (unsigned)country);
	if (!is_national && strncmp(number, code, (size_t)length) == 0) {
		number += length;
		is_national = true;
	}
	if (!is_national)
		return number[0] && number[0] != '0' ? number : NULL;
	if (country == ITALY)
		return number[0] && strncmp(number, "00", 2) != 0 ? number : NULL;
	if (number[0] == '0' && number[1])
		number++;
	return number[0] && (number[0] != '0' || !number[1]) ? number : NULL;
}

static int parse_phone(uint32_t country, struct text text, char *ret)
{
	struct phone phone = { .count = 0 };
	const char *number = phone.digits;
	uint32_t character;
	size_t size;

	key_trim(&text);
	(void)take_scheme(&text, "tel:");
	for (; text.length; text_skip(&text, size)) {
		size = utf8_decode(text.start, text.length, &character);
		if (!size || !take_character(&phone, character))
			return KEY_IMPOSSIBLE;
	}
	if (!phone.count || is_of_spreadsheet(&phone))
		return KEY_IMPOSSIBLE;
	if (country)
		number = find_number(&phone, country);
	if (!number)
		return KEY_IMPOSSIBLE;
	strcpy(ret, number);
	return 0;
}

/* E-mail addresses */

/* `<mailto:Foo@Example.com?subject=Hello>`; what follows the `?` is for who writes the mail. */
static void unwrap_email(struct text *text)
{
	const char *question;
	bool is_link = false;
	size_t length;

	do {
		length = text->length;
		key_trim(text);
		if (text->length && text->start[0] == '<')
			text_skip(text, 1);
		if (text->length && text->start[text->length - 1] == '>')
			text->length--;
		is_link = take_scheme(text, "mailto:") || is_link;
		question = is_link ? memchr(text->start, '?', text->length) : NULL;
		if (question)
			text->length = (size_t)(question - text->start);
	} while (text->length != length);
}

static bool may_be_in_email(uint32_t character)
{
	return character > ' ' && character != 0x7f && fold_to_ascii(character) != ' ';
}

static int parse_email(uint32_t country, struct text text, char *ret)
{
	uint32_t character;
	const char *at;
	size_t length;
	size_t size;

	(void)country;
	unwrap_email(&text);
	length = text.length;
	at = memchr(text.start, '@', length);
	if (length > KEY_TEXT_MAX || !at || at == text.start || at == text.start + length - 1)
		return KEY_IMPOSSIBLE;
	if (memchr(at + 1, '@', length - (size_t)(at + 1 - text.start)))
		return KEY_IMPOSSIBLE;

	for (; text.length; text_skip(&text, size)) {
		size = utf8_decode(text.start, text.length, &character);
		if (!size || !may_be_in_email(character))
			return KEY_IMPOSSIBLE;
		for (size_t i = 0; i < size; i++)
			*ret++ = lower_case(text.start[i]);
	}
	*ret = '\0';
	return 0;
}

/* Dates */

static int parse_date(uint32_t country, struct text text, char *ret)
{
	int32_t day;

	(void)country;
	if (date_parse(text.start, text.length, &day))
		return KEY_IMPOSSIBLE;
	memcpy(ret, text.start, text.length);
	ret[text.length] = '\0';
	return 0;
}

/* All of them */

int key_parse_typed(uint32_t country, enum key_kind kind, const char *text, size_t length,
                    struct key *ret)
{
	static int (*const parsers[KEY_LISTINGS])(uint32_t, struct text, char *) = {
		[KEY_ID] = parse_id,
		[KEY_PHONE] = parse_phone,
		[KEY_EMAIL] = parse_email,
		[KEY_DATE] = parse_date,
	};
	struct key key = { .kind = kind };
	int r;

	r = parsers[kind](country, (struct text){ text, length }, key.text);
	if (r)
		return r;

	*ret = key;
	return 0;
}

int key_parse(enum key_kind kind, const char *text, size_t length, struct key *ret)
{
	return key_parse_typed(0, kind, text, length, ret);
}

bool key_is_canonical(uint32_t country, const struct key *key)
{
	struct key read;

	return key_parse_typed(country, key->kind, key->text, strlen(key->text), &read) == 0 &&
	       key_equal(&read, key);
}

/* File names */

enum { ESCAPE_LENGTH = 3 }; /* of %XX */

static const char *const endings[] = { "json", "meta" };

/* Where the dot stands at which a view's ending would begin; NULL if there is none. */
static const char *find_ending(const char *text)
{
	const char *dot = strrchr(text, '.');

	for (size_t i = 0; dot && i < array_length(endings); i++) {
		if (strcmp(dot + 1, endings[i]) == 0)
			return dot;
	}
	return NULL;
}

/* The character at @text, which has @size bytes, or 0; in the text of a key it is UTF-8. */
static bool is_escaped(const struct key *key, const char *text, size_t size, uint32_t character,
                       const char *ending)
{
	return key->kind == KEY_EMAIL && (!size || !naming_is_shown(character) || text == ending);
}

void key_print_name(const struct key *key, char ret[KEY_NAME_SIZE])
{
	const char *ending = key->kind == KEY_EMAIL ? find_ending(key->text) : NULL;
	struct text text = { key->text, strlen(key->text) };

	while (text.length) {
		uint32_t character;
		size_t size = utf8_decode(text.start, text.length, &character);
		bool is_to_be = is_escaped(key, text.start, size, character, ending);

		for (size_t i = 0; i < (size ? size : 1); i++) {
			if (is_to_be)
				ret += sprintf(ret, "%%%02X", (unsigned char)text.start[i]);
			else
				*ret++ = text.start[i];
		}
		text_skip(&text, size ? size : 1);
	}
	*ret = '\0';
}

/* What escapes at the head of a name stand for. */
struct escaped {
	size_t length; /* of the escapes, 0 if there are none */
	char bytes[UTF8_LENGTH_MAX];
	size_t count;
};

static int digit_value(char digit)
{
	if (is_digit(digit))
		return digit - '0';
	digit = lower_case(digit);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The byte that the escape at the head of @name stands for, -1 if there is none. */
static int read_byte(struct text name)
{
	int high = name.length >= ESCAPE_LENGTH ? digit_value(name.start[1]) : -1;
	int low = high >= 0 ? digit_value(name.start[2]) : -1;

	return low >= 0 && name.start[0] == '%' ? high << 4 | low : -1;
}

/* A character that cannot be seen. */
static struct escaped read_hidden(struct text name)
{
	struct escaped escaped = { 0 };
	uint32_t character;
	size_t size = 0;
	int byte;

	while (escaped.count < UTF8_LENGTH_MAX && !size && (byte = read_byte(name)) >= 0x80) {
		escaped.bytes[escaped.count++] = (char)byte;
		escaped.length += ESCAPE_LENGTH;
		text_skip(&name, ESCAPE_LENGTH);
		size = utf8_decode(escaped.bytes, escaped.count, &character);
	}
	return size && !naming_is_shown(character) ? escaped : (struct escaped){ 0 };
}

static struct escaped read_escape(struct text name)
{
	int byte = read_byte(name);

	if (byte == '/' || byte == '%')
		return (struct escaped){ ESCAPE_LENGTH, { (char)byte }, 1 };
	for (size_t i = 0; byte == '.' && i < array_length(endings); i++) {
		if (name.length == ESCAPE_LENGTH + strlen(endings[i]) &&
		    memcmp(name.start + ESCAPE_LENGTH, endings[i], strlen(endings[i])) == 0)
			return (struct escaped){ ESCAPE_LENGTH, { '.' }, 1 };
	}
	return read_hidden(name);
}

int key_parse_name(uint32_t country, enum key_kind kind, const char *name, size_t length,
                   struct key *ret)
{
	enum { NAME_SIZE = 1024 };
	struct text rest = { name, length };
	char address[NAME_SIZE];
	size_t count = 0;

	if (kind != KEY_EMAIL)
		return key_parse_typed(country, kind, name, length, ret);
	if (length > sizeof(address))
		return KEY_IMPOSSIBLE;
	while (rest.length) {
		struct escaped escaped = read_escape(rest);

		if (!escaped.length)
			escaped = (struct escaped){ 1, { *rest.start }, 1 };
		memcpy(address + count, escaped.bytes, escaped.count);
		count += escaped.count;
		text_skip(&rest, escaped.length);
	}
	return key_parse_typed(country, kind, address, count, ret);
}

bool key_is_spelled(const struct key *key, const char *name, size_t length)
{
	return strlen(key->text) == length && memcmp(key->text, name, length) == 0;
}

bool key_equal(const struct key *left, const struct key *right)
{
	return left->kind == right->kind && strcmp(left->text, right->text) == 0;
}
