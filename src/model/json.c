/* SPDX-License-Identifier: MIT */
/*
 * One pass from left to right: each scan_*() stands at the first byte of what it
 * is named after, writes it to the armoured text and leaves the position behind
 * it. On failure the position is where the text stops being JSON. What is not
 * wanted is scanned like anything else, and neither written nor counted.
 *
 * scan_value() calls itself by way of arrays and objects, JSON_DEPTH_MAX times at most.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/utf8.h"
#include "kapturefs/model/json.h"

enum {
	END = -1, /* what stands behind the last byte */
	MEMBER_CAPACITY_MIN = 16,
};

struct scanner {
	const char *text;
	size_t length;
	size_t at;
	unsigned depth;
	bool is_name; /* the string that is being scanned names a member */
	const struct json_selection *selection; /* NULL: everything is wanted */
	bool is_in_array;                       /* what is being scanned is an array's element */
	bool is_selected; /* ... is a member of an object that is one: see json_selection */
	bool is_muted;    /* what is being scanned is not wanted */
	size_t value_count;
	size_t member_capacity;
	struct json_scan *scan;
};

static int scan_value(struct scanner *scanner);
static int scan_nested(struct scanner *scanner);

static int peek(const struct scanner *scanner)
{
	if (scanner->at == scanner->length)
		return END;
	return (unsigned char)scanner->text[scanner->at];
}

/* Step over @byte if it is next. */
static bool take(struct scanner *scanner, char byte)
{
	if (peek(scanner) != byte)
		return false;
	scanner->at++;
	return true;
}

static void skip_blanks(struct scanner *scanner)
{
	while (scanner->at < scanner->length && memchr(" \t\n\r", scanner->text[scanner->at], 4))
		scanner->at++;
}

static int emit_bytes(struct scanner *scanner, const char *bytes, size_t length)
{
	return scanner->is_muted ? 0 : buffer_append(&scanner->scan->armoured, bytes, length);
}

static int emit(struct scanner *scanner, const char *text)
{
	return emit_bytes(scanner, text, strlen(text));
}

/* Emit the text from @start to the position as sent. */
static int emit_sent(struct scanner *scanner, size_t start)
{
	return emit_bytes(scanner, scanner->text + start, scanner->at - start);
}

static int scan_word(struct scanner *scanner, const char *word)
{
	for (const char *letter = word; *letter; letter++) {
		if (!take(scanner, *letter))
			return -EPROTO;
	}
	return emit(scanner, word);
}

static bool take_digits(struct scanner *scanner)
{
	size_t start = scanner->at;

	while (peek(scanner) >= '0' && peek(scanner) <= '9')
		scanner->at++;
	return scanner->at > start;
}

static bool take_number(struct scanner *scanner)
{
	take(scanner, '-');
	if (!take(scanner, '0') && !take_digits(scanner))
		return false;
	if (take(scanner, '.') && !take_digits(scanner))
		return false;
	if (take(scanner, 'e') || take(scanner, 'E')) {
		if (!take(scanner, '+'))
			take(scanner, '-');
		return take_digits(scanner);
	}
	return true;
}

static int scan_number(struct scanner *scanner)
{
	size_t start = scanner->at;
	int r;

	if (!take_number(scanner))
		return -EPROTO;
	r = emit(scanner, "\"n");
	if (!r)
		r = emit_sent(scanner, start);
	return r ? r : emit(scanner, "\"");
}

static int digit_value(int byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The `uXXXX` of an escape, a unit of UTF-16. */
static bool take_unit(struct scanner *scanner, uint32_t *ret)
{
	uint32_t unit = 0;

	if (!take(scanner, 'u'))
		return false;
	for (int i = 0; i < 4; i++) {
		int value = digit_value(peek(scanner));

		if (value < 0)
			return false;
		unit = unit << 4 | (uint32_t)value;
		scanner->at++;
	}
	*ret = unit;
	return true;
}

/*
 * Half of a pair of surrogates names no character: in a value U+FFFD stands in for it. In a name it
 * stays what it is, in three bytes that are not UTF-8, for two names must not become one.
 */
static int emit_half(struct scanner *scanner, uint32_t unit)
{
	const char bytes[] = {
		(char)(0xe0 | unit >> 12),
		(char)(0x80 | (unit >> 6 & 0x3f)),
		(char)(0x80 | (unit & 0x3f)),
	};

	if (!scanner->is_name)
		return emit(scanner, "\xef\xbf\xbd");
	return emit_bytes(scanner, bytes, sizeof(bytes));
}

/* Step over the second half of a pair of surrogates, if it is next. */
static bool take_low_surrogate(struct scanner *scanner)
{
	size_t start = scanner->at;
	uint32_t unit;

	if (take(scanner, '\\') && take_unit(scanner, &unit) && unit >= 0xdc00 && unit <= 0xdfff)
		return true;
	scanner->at = start;
	return false;
}

/* A `uXXXX`, and the one after it if they are a pair of surrogates. */
static int scan_units(struct scanner *scanner, size_t start)
{
	uint32_t unit;

	if (!take_unit(scanner, &unit))
		return -EPROTO;
	if (unit <= 1)
		return emit(scanner, unit ? "\\u00011" : "\\u00010");
	if (unit < 0xd800 || unit > 0xdfff)
		return emit_sent(scanner, start);
	if (unit > 0xdbff || !take_low_surrogate(scanner))
		return emit_half(scanner, unit);
	return emit_sent(scanner, start);
}

static int scan_escape(struct scanner *scanner)
{
	size_t start = scanner->at++;
	int byte = peek(scanner);

	if (byte == 'u')
		return scan_units(scanner, start);
	if (byte <= 0 || !strchr("\"\\/bfnrt", byte))
		return -EPROTO;
	scanner->at++;
	return emit_sent(scanner, start);
}

/* What stands in a string as itself: up to a quote, an escape or a byte that must not be there. */
static int scan_plain(struct scanner *scanner)
{
	size_t start = scanner->at;

	while (scanner->at < scanner->length) {
		unsigned char byte = (unsigned char)scanner->text[scanner->at];
		uint32_t character;
		size_t size = 1;

		if (byte < 0x20 || byte == '"' || byte == '\\')
			break;
		if (byte >= 0x80)
			size = utf8_decode(scanner->text + scanner->at,
			                   scanner->length - scanner->at, &character);
		if (!size)
			return -EPROTO;
		scanner->at += size;
	}
	return scanner->at > start ? emit_sent(scanner, start) : -EPROTO;
}

/* @opening is the quote, and the prefix of a value. */
static int scan_string(struct scanner *scanner, const char *opening)
{
	int r;

	if (!take(scanner, '"'))
		return -EPROTO;
	r = emit(scanner, opening);
	while (!r && !take(scanner, '"'))
		r = peek(scanner) == '\\' ? scan_escape(scanner) : scan_plain(scanner);
	return r ? r : emit(scanner, "\"");
}

static int keep_member(struct scanner *scanner, size_t start)
{
	struct json_scan *scan = scanner->scan;

	if (scan->member_count == scanner->member_capacity) {
		size_t capacity = 2 * scanner->member_capacity + MEMBER_CAPACITY_MIN;
		struct json_span *members = reallocarray(scan->members, capacity, sizeof(*members));

		if (!members)
			return -ENOMEM;
		scan->members = members;
		scanner->member_capacity = capacity;
	}
	scan->members[scan->member_count++] = (struct json_span){ start, scanner->at - start };
	return 0;
}

/* Whether the member whose name, quotes and colon have been written from @start on is wanted. */
static bool is_wanted(const struct scanner *scanner, size_t start)
{
	const struct buffer *armoured = &scanner->scan->armoured;
	const char *name = armoured->data + start + 1;
	size_t length = armoured->length - start - strlen("\"\":");

	/* What an escape stands for is the parser's to say. */
	if (memchr(name, '\\', length))
		return true;
	for (size_t i = 0; i < scanner->selection->count; i++) {
		const char *wanted = scanner->selection->names[i];

		if (strlen(wanted) == length && memcmp(wanted, name, length) == 0)
			return true;
	}
	return false;
}

/* The name, its colon and what is around that. */
static int scan_name(struct scanner *scanner)
{
	int r;

	scanner->is_name = true;
	r = scan_string(scanner, "\"");
	scanner->is_name = false;
	if (r)
		return r;
	skip_blanks(scanner);
	r = scan_word(scanner, ":");
	skip_blanks(scanner);
	return r;
}

static int scan_whole_member(struct scanner *scanner)
{
	size_t start;
	int r;

	r = scan_name(scanner);
	if (r)
		return r;
	start = scanner->at;
	r = scan_value(scanner);
	if (r || scanner->depth > 1)
		return r;
	return keep_member(scanner, start);
}

/* Of what is not wanted nothing is left in the armoured text. */
static int scan_selected_member(struct scanner *scanner)
{
	struct buffer *armoured = &scanner->scan->armoured;
	size_t start = armoured->length;
	int r;

	r = scan_name(scanner);
	if (r)
		return r;
	if (is_wanted(scanner, start))
		return scan_value(scanner);
	armoured->length = start;
	scanner->is_muted = true;
	r = scan_value(scanner);
	scanner->is_muted = false;
	return r;
}

static int scan_member(struct scanner *scanner)
{
	return scanner->is_selected && !scanner->is_muted ? scan_selected_member(scanner)
	                                                  : scan_whole_member(scanner);
}

/* The next item behind a comma, or the first of those that have been written since @start. */
static int scan_item_behind(struct scanner *scanner, size_t start,
                            int (*scan_item)(struct scanner *scanner))
{
	struct buffer *armoured = &scanner->scan->armoured;
	size_t before = armoured->length;
	size_t behind;
	int r;

	r = before > start ? emit(scanner, ",") : 0;
	behind = armoured->length;
	if (!r)
		r = scan_item(scanner);
	if (!r && armoured->length == behind)
		armoured->length = before;
	return r;
}

/* What an array and an object have in common: items between two brackets. */
static int scan_list(struct scanner *scanner, const char *opening, const char *closing,
                     int (*scan_item)(struct scanner *scanner))
{
	size_t start;
	int r;

	r = scan_word(scanner, opening);
	if (r)
		return r;
	start = scanner->scan->armoured.length;
	skip_blanks(scanner);
	if (peek(scanner) == *closing)
		return scan_word(scanner, closing);

	for (;;) {
		r = scan_item_behind(scanner, start, scan_item);
		if (r)
			return r;
		skip_blanks(scanner);
		if (peek(scanner) == *closing)
			return scan_word(scanner, closing);
		if (!take(scanner, ','))
			return -EPROTO;
		skip_blanks(scanner);
	}
}

/* Whether the array or object that is next comes to be empty: a member of a selected object. */
static bool is_emptied(const struct scanner *scanner)
{
	return scanner->is_selected && !scanner->is_muted;
}

static int scan_emptied(struct scanner *scanner)
{
	int r;

	r = emit(scanner, peek(scanner) == '{' ? "{}" : "[]");
	if (r)
		return r;
	scanner->is_muted = true;
	r = scan_nested(scanner);
	scanner->is_muted = false;
	return r;
}

static int scan_nested(struct scanner *scanner)
{
	bool is_object = peek(scanner) == '{';
	struct scanner around = *scanner;
	int r;

	if (scanner->depth == JSON_DEPTH_MAX)
		return -EPROTO;
	if (is_emptied(scanner))
		return scan_emptied(scanner);

	scanner->depth++;
	scanner->is_selected = is_object && scanner->selection && scanner->is_in_array;
	scanner->is_in_array = !is_object;
	r = is_object ? scan_list(scanner, "{", "}", scan_member)
	              : scan_list(scanner, "[", "]", scan_value);
	scanner->depth--;
	scanner->is_selected = around.is_selected;
	scanner->is_in_array = around.is_in_array;
	return r;
}

static int scan_value(struct scanner *scanner)
{
	if (!scanner->is_muted && ++scanner->value_count > JSON_VALUES_MAX)
		return -EFBIG;
	switch (peek(scanner)) {
	case '{':
	case '[':
		return scan_nested(scanner);
	case '"':
		return scan_string(scanner, "\"s");
	case 't':
		return scan_word(scanner, "true");
	case 'f':
		return scan_word(scanner, "false");
	case 'n':
		return scan_word(scanner, "null");
	default:
		return scan_number(scanner);
	}
}

static int scan_text(struct scanner *scanner)
{
	static const char byte_order_mark[] = { '\xef', '\xbb', '\xbf' };
	int r;

	if (scanner->length >= sizeof(byte_order_mark) &&
	    memcmp(scanner->text, byte_order_mark, sizeof(byte_order_mark)) == 0)
		scanner->at = sizeof(byte_order_mark);

	skip_blanks(scanner);
	r = scan_value(scanner);
	if (r)
		return r;
	skip_blanks(scanner);
	return peek(scanner) == END ? 0 : -EPROTO;
}

int json_scan_selected(const char *text, size_t length, const struct json_selection *selection,
                       struct json_scan *ret, size_t *ret_offset)
{
	cleanup(json_scan_fini) struct json_scan scan = { 0 };
	struct scanner scanner = {
		.text = text,
		.length = length,
		.selection = selection,
		.is_in_array = selection && selection->is_element,
		.scan = &scan,
	};
	int r;

	/* The armour adds a few bytes to each value; their number and the text have ceilings. */
	buffer_init(&scan.armoured, SIZE_MAX);
	r = scan_text(&scanner);
	if (r == -EPROTO)
		*ret_offset = scanner.at;
	if (r)
		return r;

	*ret = scan;
	scan = (struct json_scan){ 0 };
	return 0;
}

int json_scan(const char *text, size_t length, struct json_scan *ret, size_t *ret_offset)
{
	return json_scan_selected(text, length, NULL, ret, ret_offset);
}

void json_scan_fini(struct json_scan *scan)
{
	buffer_fini(&scan->armoured);
	free(scan->members);
	*scan = (struct json_scan){ 0 };
}

size_t json_unarmour(char *text, size_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < length; i++) {
		char byte = text[i];

		if (byte == '\x01' && i + 1 < length && (text[i + 1] == '0' || text[i + 1] == '1'))
			byte = (char)(text[++i] - '0');
		text[kept++] = byte;
	}
	return kept;
}
