/* SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <string.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/get_parts.h"
#include "kapturefs/command/outcome.h"
#include "kapturefs/command/place.h"
#include "kapturefs/command/terminal.h"

bool get_is_field(const char *path)
{
	for (;; path++) {
		size_t length = strcspn(path, "/");

		if (!length || (path[0] == '.' && (length == 1 || (length == 2 && path[1] == '.'))))
			return false;
		path += length;
		if (!*path)
			return true;
	}
}

static void fail(struct get *get, size_t place, const char *text)
{
	terminal_complain("kapturefs: get: %s: %s", get->keys[place].word, text);
	get->status = outcome_worse(get->status, EXIT_NO);
}

void get_complain_impossible(struct get *get, size_t place)
{
	fail(get, place, "nobody can have that key; give id:NUMBER, phone:NUMBER or email:ADDRESS");
}

/* How it was read matters when it was guessed. */
void get_complain(struct get *get, size_t place, int error, const char *cause)
{
	const struct get_key *key = &get->keys[place];
	char word[KEYWORD_SIZE];
	bool is_guess;

	keyword_print(&key->key, word);
	is_guess = strncmp(word, key->word, strcspn(word, ":") + 1) != 0;
	terminal_complain("kapturefs: get: %s%s%s: %s", key->word, is_guess ? ", read as " : "",
	                  is_guess ? word : "", cause ? cause : place_error(error));
	get->status = outcome_worse(get->status, outcome_of(error));
}

/* A line feed can only stand between two words of JSON, where a blank is the same. */
static void print_json(const char *json, size_t length)
{
	while (length && json[length - 1] == '\n')
		length--;
	while (length) {
		size_t piece = 0;

		while (piece < length && json[piece] != '\n' && json[piece] != '\r')
			piece++;
		terminal_write(stdout, json, piece, true);
		if (piece < length) {
			putchar(' ');
			piece++;
		}
		json += piece;
		length -= piece;
	}
	putchar('\n');
}

static const struct member *child(const struct record *record, const struct member *directory,
                                  const char *name, size_t length)
{
	const struct member *found = record_child(record, directory, name, length);

	if (!found && directory == record_contacts(record) && length == strlen("primary") &&
	    memcmp(name, "primary", length) == 0)
		return record_primary_contact(record);
	return found;
}

static const struct member *find_field(const struct record *record, const char *path)
{
	const struct member *member = record_member(record, 0);

	for (;;) {
		size_t length = strcspn(path, "/");

		member = member_is_directory(member) ? child(record, member, path, length) : NULL;
		path += length;
		if (!member || !*path)
			return member;
		path++;
	}
}

void get_print_record(struct get *get, size_t place, const struct record *record)
{
	const struct member *field;
	const char *json;
	size_t length;

	if (!get->field) {
		json = record_json(record, &length);
		print_json(json, length);
		return;
	}
	field = find_field(record, get->field);
	if (!field)
		fail(get, place, "has no such field");
	else if (member_is_directory(field))
		fail(get, place, "that field is a directory of others");
	else
		terminal_write(stdout, field->value, field->value_length, false);
}
