/* SPDX-License-Identifier: MIT */
/*
 * The members of a customer, read from its line without a record being made of it, which takes ten
 * times as long. That is only for what is as nearly all customers are:
 *
 *   - names are ASCII letters, digits, `_` and `-`, which stand in a record as they are
 *   - no object has a name twice, of which only the last would count
 *   - there is no array but the contacts, all of which are objects, or an empty one
 *
 * Whatever is otherwise, or is no JSON, is left to payload and record. A name is looked up where
 * the object is that it stands in: so each path is put together once.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/utf8.h"
#include "kapturefs/command/export_parts.h"
#include "kapturefs/model/json.h"

enum {
	NAME_LENGTH_MAX = 64,
	NODES_MAX = 1 << 16,
	COLUMN_UNKNOWN = -1,
	COLUMN_NONE = -2,
	ROOT = 0, /* no node, but the parent of the first */
};

/* A path, of an object or a value. */
struct brief_node {
	char name[NAME_LENGTH_MAX];
	uint32_t name_length;
	uint32_t parent;
	uint32_t seen; /* in which object it was last */
	uint32_t next; /* what was looked up after it, and most likely will be again */
	int32_t column;
};

struct walk {
	struct export_csv *csv;
	const struct export_visitor *visitor; /* NULL: of the customer whose contacts are visited */
	const char *at;
	const char *end;
	unsigned depth;
	bool is_contact;
	struct export_cell id;
	const char *contacts; /* the array, behind its bracket; NULL if there is none */
};

/* Nodes */

static bool is_node(const struct brief_node *node, uint32_t parent, const char *name, size_t length)
{
	return node->parent == parent && node->name_length == length &&
	       memcmp(node->name, name, length) == 0;
}

/* The bucket that has the node, or would. */
static uint32_t *bucket_of(const struct export_brief *brief, uint32_t parent, const char *name,
                           size_t length)
{
	uint32_t mask = brief->capacity * 2 - 1;
	uint32_t i = (uint32_t)string_hash(name, length, parent) & mask;

	while (brief->buckets[i] &&
	       !is_node(&brief->nodes[brief->buckets[i]], parent, name, length))
		i = (i + 1) & mask;
	return &brief->buckets[i];
}

/* Room for one more, and at least as many empty buckets as full ones. */
static int make_room(struct export_brief *brief)
{
	uint32_t capacity = brief->capacity ? brief->capacity * 2 : 256;
	struct brief_node *nodes;
	uint32_t *buckets;

	if (brief->count < brief->capacity)
		return 0;
	if (capacity > NODES_MAX)
		return EXPORT_NOT_BRIEF;
	nodes = reallocarray(brief->nodes, capacity, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	brief->nodes = nodes;
	buckets = calloc(capacity, 2 * sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(brief->buckets);
	brief->buckets = buckets;
	brief->capacity = capacity;
	if (brief->count == 0)
		brief->nodes[brief->count++] = (struct brief_node){ 0 };
	for (uint32_t i = 1; i < brief->count; i++)
		*bucket_of(brief, nodes[i].parent, nodes[i].name, nodes[i].name_length) = i;
	return 0;
}

static bool is_plain(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool is_letter =
		        (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z');

		if (!is_letter && !(name[i] >= '0' && name[i] <= '9') && name[i] != '_' &&
		    name[i] != '-')
			return false;
	}
	return length && length <= NAME_LENGTH_MAX;
}

static int find_or_add_node(struct export_brief *brief, uint32_t parent, const char *name,
                            size_t length, uint32_t *ret)
{
	uint32_t *bucket;
	int r;

	if (!is_plain(name, length))
		return EXPORT_NOT_BRIEF;
	r = make_room(brief);
	if (r)
		return r;
	bucket = bucket_of(brief, parent, name, length);
	if (!*bucket) {
		*bucket = brief->count++;
		brief->nodes[*bucket] = (struct brief_node){ .parent = parent,
			                                     .name_length = (uint32_t)length,
			                                     .column = COLUMN_UNKNOWN };
		memcpy(brief->nodes[*bucket].name, name, length);
	}
	*ret = *bucket;
	return 0;
}

static int find_node(struct export_brief *brief, uint32_t parent, const char *name, size_t length,
                     uint32_t *ret)
{
	uint32_t likely = brief->count ? brief->nodes[brief->last].next : 0;
	int r;

	if (likely && is_node(&brief->nodes[likely], parent, name, length)) {
		*ret = likely;
	} else {
		r = find_or_add_node(brief, parent, name, length, ret);
		if (r)
			return r;
		brief->nodes[brief->last].next = *ret;
	}
	brief->last = *ret;
	return 0;
}

/* From its end, as it is found from there. */
static size_t write_path(const struct export_brief *brief, uint32_t place, char *path, size_t size)
{
	size_t start = size;

	for (; place != ROOT; place = brief->nodes[place].parent) {
		const struct brief_node *node = &brief->nodes[place];

		if (start < size)
			path[--start] = '.';
		start -= node->name_length;
		memcpy(path + start, node->name, node->name_length);
	}
	return start;
}

static int find_column(struct export_csv *csv, uint32_t place, int32_t *ret)
{
	struct brief_node *node = &csv->brief.nodes[place];
	char path[JSON_DEPTH_MAX * (NAME_LENGTH_MAX + 1)];
	size_t column;
	size_t start;
	int r;

	if (node->column == COLUMN_UNKNOWN) {
		start = write_path(&csv->brief, place, path, sizeof(path));
		r = export_csv_column(csv, path + start, sizeof(path) - start, &column);
		if (r)
			return r;
		node->column = column == SIZE_MAX ? COLUMN_NONE : (int32_t)column;
	}
	*ret = node->column;
	return 0;
}

/* Reading */

static void skip_blanks(struct walk *walk)
{
	while (walk->at < walk->end &&
	       (*walk->at == ' ' || *walk->at == '\t' || *walk->at == '\n' || *walk->at == '\r'))
		walk->at++;
}

/* Step over the byte, if it is what comes next behind blanks. */
static bool take_byte(struct walk *walk, char byte)
{
	skip_blanks(walk);
	if (walk->at == walk->end || *walk->at != byte)
		return false;
	walk->at++;
	return true;
}

/* Whether the quote is one of the text: behind an odd number of backslashes. */
static bool is_escaped(const char *start, const char *quote)
{
	const char *at = quote;

	while (at > start && at[-1] == '\\')
		at--;
	return (quote - at) % 2;
}

/* Step over a string, behind its first quote. */
static bool take_string(struct walk *walk, struct export_cell *ret)
{
	const char *start = walk->at;
	const char *quote = start;

	for (;; quote++) {
		quote = memchr(quote, '"', (size_t)(walk->end - quote));
		if (!quote)
			return false;
		if (!is_escaped(start, quote))
			break;
	}
	walk->at = quote + 1;
	*ret = (struct export_cell){
		.text = start,
		.length = (size_t)(quote - start),
		.is_string = true,
		.is_escaped = true,
	};
	return true;
}

/* A number, or a word. */
static bool take_token(struct walk *walk, struct export_cell *ret)
{
	const char *start = walk->at;

	while (walk->at < walk->end && !memchr(",}] \t\r\n\"{[:", *walk->at, 12))
		walk->at++;
	*ret = (struct export_cell){ .text = start, .length = (size_t)(walk->at - start) };
	if (ret->length == 4 && memcmp(start, "null", 4) == 0)
		ret->length = 0;
	return walk->at > start;
}

/* Step over an array, of which the bracket has been seen. */
static bool skip_array(struct walk *walk)
{
	struct export_cell string;
	unsigned depth = 1;

	while (depth) {
		if (walk->at == walk->end)
			return false;
		switch (*walk->at++) {
		case '[':
		case '{':
			depth++;
			break;
		case ']':
		case '}':
			depth--;
			break;
		case '"':
			if (!take_string(walk, &string))
				return false;
			break;
		default:
			break;
		}
	}
	return true;
}

/* Walking */

static int walk_object(struct walk *walk, uint32_t parent);

static bool is_named(const struct walk *walk, uint32_t place, const char *name)
{
	const struct brief_node *node = &walk->csv->brief.nodes[place];

	return node->parent == ROOT && !walk->is_contact && node->name_length == strlen(name) &&
	       memcmp(node->name, name, node->name_length) == 0;
}

static int walk_array(struct walk *walk, uint32_t place)
{
	const char *start = walk->at;

	if (is_named(walk, place, "contacts"))
		walk->contacts = start;
	else if (!take_byte(walk, ']'))
		return EXPORT_NOT_BRIEF;
	else
		return 0;
	return skip_array(walk) ? 0 : EXPORT_NOT_BRIEF;
}

static int visit(struct walk *walk, uint32_t place, const struct export_cell *cell)
{
	int32_t column;
	int r;

	if (!walk->visitor) {
		if (is_named(walk, place, "id"))
			walk->id = *cell;
		return 0;
	}
	r = find_column(walk->csv, place, &column);
	if (r || column == COLUMN_NONE)
		return r;
	walk->visitor->value(walk->csv, (size_t)column, cell);
	return 0;
}

static int walk_value(struct walk *walk, uint32_t place)
{
	struct export_cell cell;
	bool is_taken;

	if (take_byte(walk, '{'))
		return walk_object(walk, place);
	if (take_byte(walk, '['))
		return walk_array(walk, place);
	is_taken = take_byte(walk, '"') ? take_string(walk, &cell) : take_token(walk, &cell);
	return is_taken ? visit(walk, place, &cell) : EXPORT_NOT_BRIEF;
}

static int walk_member(struct walk *walk, uint32_t parent)
{
	struct export_brief *brief = &walk->csv->brief;
	struct export_cell name;
	uint32_t place;
	int r;

	if (!take_byte(walk, '"') || !take_string(walk, &name) || !take_byte(walk, ':'))
		return EXPORT_NOT_BRIEF;
	r = find_node(brief, parent, name.text, name.length, &place);
	if (r)
		return r;
	if (brief->nodes[place].seen == brief->objects)
		return EXPORT_NOT_BRIEF;
	brief->nodes[place].seen = brief->objects;
	return walk_value(walk, place);
}

/* Behind its brace. */
static int walk_object(struct walk *walk, uint32_t parent)
{
	int r = 0;

	if (take_byte(walk, '}'))
		return 0;
	if (++walk->depth > JSON_DEPTH_MAX)
		return EXPORT_NOT_BRIEF;
	do
		r = walk_member(walk, parent);
	while (!r && take_byte(walk, ','));
	walk->depth--;
	return !r && !take_byte(walk, '}') ? EXPORT_NOT_BRIEF : r;
}

/* A whole object, which nothing of another is mixed up with. */
static int walk_whole(struct walk *walk)
{
	walk->csv->brief.objects++;
	return take_byte(walk, '{') ? walk_object(walk, ROOT) : EXPORT_NOT_BRIEF;
}

static int walk_row(struct walk *walk)
{
	int r;

	r = walk->visitor->begin(walk->csv, walk->is_contact ? &walk->id : NULL);
	if (!r)
		r = walk_whole(walk);
	return r ? r : walk->visitor->end(walk->csv);
}

static int walk_contacts(struct walk *walk)
{
	int r;

	if (!walk->contacts)
		return 0;
	walk->at = walk->contacts;
	walk->is_contact = true;
	if (take_byte(walk, ']'))
		return 0;
	do
		r = walk_row(walk);
	while (!r && take_byte(walk, ','));
	return !r && !take_byte(walk, ']') ? EXPORT_NOT_BRIEF : r;
}

int export_brief_walk(struct export_csv *csv, const struct export_visitor *visitor,
                      const char *json, size_t length)
{
	struct walk walk = { .csv = csv, .visitor = visitor, .at = json, .end = json + length };
	int r;

	if (!csv->with_contacts)
		return walk_row(&walk);
	walk.visitor = NULL;
	r = walk_whole(&walk);
	walk.visitor = visitor;
	return r ? r : walk_contacts(&walk);
}

/* The four digits behind @at; or 0, which a broken escape means as well. */
static uint32_t unit_at(const char *at, const char *end)
{
	char digits[5] = "";

	if (end - at < 5 || at[0] != 'u')
		return 0;
	memcpy(digits, at + 1, 4);
	return (uint32_t)strtoul(digits, NULL, 16);
}

/* The character at @at, behind a backslash, which is left behind it. */
static uint32_t take_escape(const char **at, const char *end)
{
	static const char letters[] = "bfnrt";
	static const char meant[] = "\b\f\n\r\t";
	const char *letter = memchr(letters, **at, sizeof(letters) - 1);
	uint32_t character;

	if (**at != 'u') {
		character = (unsigned char)(letter ? meant[letter - letters] : **at);
		++*at;
		return character;
	}
	character = unit_at(*at, end);
	*at += end - *at < 5 ? end - *at : 5;
	if (character >> 10 != 0xd800 >> 10 || end - *at < 6)
		return character;
	character = 0x10000 + ((character & 0x3ff) << 10 | (unit_at(*at + 1, end) & 0x3ff));
	*at += 6;
	return character;
}

int export_brief_decode(const struct export_cell *cell, struct buffer *ret)
{
	const char *at = cell->text;
	const char *end = at + cell->length;
	int r = 0;

	buffer_clear(ret);
	while (!r && at < end) {
		const char *escape = memchr(at, '\\', (size_t)(end - at));
		char bytes[UTF8_LENGTH_MAX];
		uint32_t character;

		r = buffer_append(ret, at, (size_t)((escape ? escape : end) - at));
		if (r || !escape)
			break;
		at = escape + 1;
		character = take_escape(&at, end);
		r = buffer_append(ret, bytes, utf8_encode(character, bytes));
	}
	return r;
}

void export_brief_fini(struct export_brief *brief)
{
	free(brief->nodes);
	free(brief->buckets);
	*brief = (struct export_brief){ 0 };
}
