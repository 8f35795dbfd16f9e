/* SPDX-License-Identifier: MIT */

#include <string.h>

#include "kapturefs/base/utf8.h"
#include "kapturefs/model/date.h"
#include "kapturefs/model/key.h"

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

static int parse_id(const char *name, size_t length, char *ret)
{
	if (length < 1 || length > KEY_DIGITS_MAX)
		return KEY_IMPOSSIBLE;

	for (size_t i = 0; i < length; i++) {
		if (!is_digit(name[i]))
			return KEY_IMPOSSIBLE;
	}

	while (length > 1 && *name == '0') {
		name++;
		length--;
	}
	memcpy(ret, name, length);
	ret[length] = '\0';
	return 0;
}

static int parse_phone(const char *name, size_t length, char *ret)
{
	size_t digits = 0;

	if (length > 0 && name[0] == '+') {
		name++;
		length--;
	}
	/* Separators stand between digits: neither first nor last. */
	if (length < 1 || !is_digit(name[0]) || !is_digit(name[length - 1]))
		return KEY_IMPOSSIBLE;

	for (size_t i = 0; i < length; i++) {
		if (is_digit(name[i])) {
			if (digits == KEY_DIGITS_MAX)
				return KEY_IMPOSSIBLE;
			ret[digits++] = name[i];
			continue;
		}
		if (!name[i] || !strchr(" -.()", name[i]))
			return KEY_IMPOSSIBLE;
	}
	ret[digits] = '\0';
	return 0;
}

static bool is_utf8(const char *text, size_t length)
{
	uint32_t character;
	size_t taken;

	for (; length; text += taken, length -= taken) {
		taken = utf8_decode(text, length, &character);
		if (!taken)
			return false;
	}
	return true;
}

static int parse_email(const char *name, size_t length, char *ret)
{
	const char *at = memchr(name, '@', length);

	if (length > KEY_TEXT_MAX || !at || at == name || at == name + length - 1)
		return KEY_IMPOSSIBLE;
	if (memchr(at + 1, '@', length - (size_t)(at + 1 - name)))
		return KEY_IMPOSSIBLE;

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)name[i];

		if (byte <= ' ' || byte == 0x7f)
			return KEY_IMPOSSIBLE;
		ret[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : name[i];
	}
	if (!is_utf8(name, length))
		return KEY_IMPOSSIBLE;
	ret[length] = '\0';
	return 0;
}

static int parse_date(const char *name, size_t length, char *ret)
{
	int32_t day;

	if (date_parse(name, length, &day))
		return KEY_IMPOSSIBLE;
	memcpy(ret, name, length);
	ret[length] = '\0';
	return 0;
}

int key_parse(enum key_kind kind, const char *name, size_t length, struct key *ret)
{
	static int (*const parsers[KEY_LISTINGS])(const char *, size_t, char *) = {
		[KEY_ID] = parse_id,
		[KEY_PHONE] = parse_phone,
		[KEY_EMAIL] = parse_email,
		[KEY_DATE] = parse_date,
	};
	struct key key = { .kind = kind };
	int r;

	r = parsers[kind](name, length, key.text);
	if (r)
		return r;

	*ret = key;
	return 0;
}

bool key_is_spelled(const struct key *key, const char *name, size_t length)
{
	return strlen(key->text) == length && memcmp(key->text, name, length) == 0;
}

bool key_equal(const struct key *left, const struct key *right)
{
	return left->kind == right->kind && strcmp(left->text, right->text) == 0;
}
