/* SPDX-License-Identifier: MIT */
/*
 * inih takes names and values apart. Lines are fed to it one by one and without comments,
 * because it would cut section names at 49 bytes, take an indented option for the continuation
 * of the one above it, # behind a value for a part of it, and go on in the middle of a line that
 * is too long for it, all without a word.
 */

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/config/options.h"
#include "kapturefs/config/parse.h"
#include "kapturefs/config/source.h"

struct parser {
	struct config_file *file;
	struct config_complaint *complaint;
	struct config scratch; /* where options prove themselves */
	const char *rest;      /* of the text */
	unsigned line;
	int error; /* what stopped it; *complaint is written when it is -EINVAL */
};

/* Complaints */

static int complain_at(const char *path, unsigned line, struct config_complaint *complaint)
{
	const struct config_complaint why = *complaint;

	return config_complain(complaint, "%s:%u: %s", path, line, why.text);
}

/* Keep the first error, with its place; returns whether there is none. */
static bool parser_go_on(struct parser *parser, int error)
{
	if (error == -EINVAL)
		complain_at(parser->file->path, parser->line, parser->complaint);
	if (!parser->error)
		parser->error = error;
	return !error;
}

/* Sections */

static int add_section(struct config_file *file, const char *name, const char *base_url,
                       unsigned line)
{
	struct config_section *grown;
	struct config_section section = { .line = line };

	grown = reallocarray(file->sections, file->section_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	file->sections = grown;
	section.name = strdup(name);
	section.base_url = strdup(base_url);
	grown[file->section_count++] = section;
	return section.name && section.base_url ? 0 : -ENOMEM;
}

static int begin_section(struct parser *parser, const char *name)
{
	const struct config_section *sections = parser->file->sections;
	int r;

	r = config_set_source(&parser->scratch, name, parser->complaint);
	if (r)
		return r;
	for (size_t i = 1; i < parser->file->section_count; i++) {
		if (strcmp(sections[i].base_url, parser->scratch.base_url) == 0)
			return config_complain(parser->complaint,
			                       "[%s]: the source has a section already, [%s] in "
			                       "line %u",
			                       name, sections[i].name, sections[i].line);
	}
	return add_section(parser->file, name, parser->scratch.base_url, parser->line);
}

/*
 * Where the name ends: the bracket that a blank or the end follows, as [https://[::1]:8443]
 * has two.
 */
static const char *heading_end(const char *start, const char *end)
{
	for (const char *at = start; at < end; at++) {
		if (*at == ']' && (at + 1 == end || strchr(" \t", at[1])))
			return at;
	}
	return NULL;
}

static int take_heading(struct parser *parser, const char *start, const char *end)
{
	const char *name_end = heading_end(start, end);
	const char *behind;
	char *name;
	int r;

	if (!name_end)
		return config_complain(parser->complaint, "no ] at the end of the section's name");
	behind = name_end + 1;
	while (behind < end && strchr(" \t", *behind))
		behind++;
	if (behind < end && !strchr(";#", *behind))
		return config_complain(parser->complaint,
		                       "something follows the section's name; an option has a line "
		                       "of its own");

	for (start++; start < name_end && strchr(" \t", *start);)
		start++;
	while (name_end > start && strchr(" \t", name_end[-1]))
		name_end--;
	name = strndup(start, (size_t)(name_end - start));
	if (!name)
		return -ENOMEM;
	r = begin_section(parser, name);
	free(name);
	return r;
}

/* Options */

static int add_entry(struct parser *parser, const char *name, const char *value)
{
	struct config_file *file = parser->file;
	struct config_entry *grown;
	struct config_entry entry = { .section = file->section_count - 1, .line = parser->line };

	grown = reallocarray(file->entries, file->entry_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	file->entries = grown;
	entry.name = strdup(name);
	entry.value = strdup(value);
	grown[file->entry_count++] = entry;
	return entry.name && entry.value ? 0 : -ENOMEM;
}

static int check_option(struct parser *parser, const char *name, const char *value)
{
	const struct config_file *file = parser->file;

	if (!*name)
		return config_complain(parser->complaint, "no option before the =");
	if (strcmp(name, "config") == 0)
		return config_complain(parser->complaint,
		                       "option config: a configuration file names no other");
	for (size_t i = 0; i < file->entry_count; i++) {
		if (file->entries[i].section == file->section_count - 1 &&
		    strcmp(file->entries[i].name, name) == 0)
			return config_complain(parser->complaint,
			                       "option %s: given in line %u already", name,
			                       file->entries[i].line);
	}
	return config_set_option(&parser->scratch, name, value, file->directory, parser->complaint);
}

static int take_option(void *userdata, const char *section, const char *name, const char *value)
{
	struct parser *parser = userdata;
	int r;

	(void)section; /* inih sees no headings */
	if (parser->error)
		return 0;
	r = check_option(parser, name, value);
	if (!r)
		r = add_entry(parser, name, value);
	return parser_go_on(parser, r);
}

/* Lines */

/* Where a comment begins: at a # or ; that a blank precedes; else @end. */
static const char *find_comment(const char *start, const char *end)
{
	for (const char *at = start + 1; at < end; at++) {
		if (strchr(";#", *at) && strchr(" \t", at[-1]))
			return at;
	}
	return end;
}

static int take_line(struct parser *parser, const char *start, const char *end, char *line,
                     size_t size)
{
	size_t length;

	while (start < end && strchr(" \t", *start))
		start++;
	while (end > start && strchr(" \t\r", end[-1]))
		end--;
	length = (size_t)(end - start);
	line[0] = '\0';
	if (length == 0 || strchr(";#", *start))
		return 0;
	if (*start == '[')
		return take_heading(parser, start, end);
	end = find_comment(start, end);
	length = (size_t)(end - start);
	if (length >= size)
		return config_complain(parser->complaint, "the line is longer than %zu bytes",
		                       size - 1);
	memcpy(line, start, length);
	line[length] = '\0';
	return 0;
}

/*
 * Like fgets() to inih; it gets every line, so that the numbers agree, but only options in
 * them.
 */
static char *next_line(char *line, int size, void *userdata)
{
	struct parser *parser = userdata;
	const char *start = parser->rest;
	const char *end;

	if (parser->error || !*start)
		return NULL;
	end = strchrnul(start, '\n');
	parser->rest = *end ? end + 1 : end;
	parser->line++;
	return parser_go_on(parser, take_line(parser, start, end, line, (size_t)size)) ? line
	                                                                               : NULL;
}

/* What is not text is found before anything quotes it to a terminal. */
static int check_bytes(const char *path, const struct buffer *text,
                       struct config_complaint *complaint)
{
	unsigned line = 1;

	for (size_t i = 0; i < text->length; i++) {
		unsigned char byte = (unsigned char)text->data[i];

		if (byte == '\n') {
			line++;
		} else if ((byte < ' ' && byte != '\t' && byte != '\r') || byte == 0x7f) {
			config_complain(complaint, "a control byte (0x%02x)", byte);
			return complain_at(path, line, complaint);
		}
	}
	return 0;
}

int config_parse(struct config_file *file, const struct buffer *text,
                 struct config_complaint *complaint)
{
	struct parser parser = { .file = file, .complaint = complaint };
	int line;
	int r;

	r = check_bytes(file->path, text, complaint);
	if (!r)
		r = add_section(file, "", "", 0);
	if (r)
		return r;

	config_init(&parser.scratch);
	parser.rest = text->data;
	line = ini_parse_stream(next_line, &parser, take_option, &parser);
	config_fini(&parser.scratch);

	/* inih reads on after a line without =, so one of ours may have come later. */
	if (line > 0 && (!parser.error || (unsigned)line < parser.line)) {
		config_complain(complaint, "give option = value; a flag takes yes or no");
		return complain_at(file->path, (unsigned)line, complaint);
	}
	if (line < 0)
		return -ENOMEM;
	return parser.error;
}
