/* SPDX-License-Identifier: MIT */
/* The members of a rule, one reader each: 0, PLAN_INVALID with a complaint, or -ENOMEM. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kapturefs/sandbox/members.h"
#include "kapturefs/sandbox/message.h"
#include "kapturefs/sandbox/plan_parts.h"

enum {
	DELAY_MS_MAX = 600000,
	STATUS_MIN = 200, /* what is below is not the end of an answer */
	STATUS_MAX = 599,
	LENGTH_BY_MAX = 1 << 28,
	SIZE_MAX_HUGE = 1 << 27,
};

static bool is_text(const struct member *member)
{
	/* NUL ends what is kept. */
	return member->value[0] == '"' && strlen(member->text) == member->text_length;
}

static int copy_text(const struct member *member, char **place)
{
	*place = strdup(member->text);
	return *place ? 0 : -ENOMEM;
}

static int read_number(struct reading *reading, const struct row *row, const struct member *member)
{
	char *fault = (char *)reading->fault;
	uint64_t number;
	char text[80];

	if (member->value[0] == '"' || !member->text ||
	    !message_read_number(member->text, row->least, row->most, &number)) {
		snprintf(text, sizeof(text), "must be a whole number from %u to %u", row->least,
		         row->most);
		return plan_complain(reading, text);
	}
	*(uint32_t *)(void *)(fault + row->place) = (uint32_t)number;
	if (row->flag)
		*(bool *)(fault + row->flag) = true;
	return 0;
}

static int read_name(struct reading *reading, const struct row *row, const struct member *member)
{
	(void)row;
	if (!is_text(member) || !member->text_length)
		return plan_complain(reading, "must be a text");
	return copy_text(member, &reading->fault->name);
}

static int read_key(struct reading *reading, const struct row *row, const struct member *member)
{
	(void)row;
	if (!member->text || !member->text_length || strlen(member->text) != member->text_length)
		return plan_complain(reading,
		                     "must be a key as it is asked for, a text or a number");
	return copy_text(member, &reading->fault->key);
}

static int read_kind(struct reading *reading, const struct row *row, const struct member *member)
{
	(void)row;
	for (enum key_kind kind = 0; kind < KEY_KINDS && is_text(member); kind++) {
		const char *word = key_kind_facts(kind)->word;

		if (strcmp(word, member->text) == 0) {
			reading->fault->word = word;
			return 0;
		}
	}
	return plan_complain(reading, "must be id, phone or email");
}

static int read_probability(struct reading *reading, const struct row *row,
                            const struct member *member)
{
	double probability = -1;

	(void)row;
	if (member->text && member->value[0] != '"')
		probability = strtod(member->text, NULL);
	if (!(probability >= 0 && probability <= 1))
		return plan_complain(reading, "must be a number from 0 to 1");
	reading->fault->probability = (uint32_t)(probability * FAULT_CERTAIN + 0.5);
	return 0;
}

static int set_content(struct reading *reading, enum content content)
{
	if (reading->fault->content != CONTENT_HONEST)
		return plan_complain(reading, "a rule has either `answer` or `body`");
	reading->fault->content = content;
	return 0;
}

static int read_body(struct reading *reading, const struct row *row, const struct member *member)
{
	struct fault *fault = reading->fault;
	int r;

	(void)row;
	if (member->value[0] != '"')
		return plan_complain(reading, "must be a text");
	r = set_content(reading, CONTENT_BODY);
	if (r)
		return r;
	fault->body = malloc(member->text_length + 1);
	if (!fault->body)
		return -ENOMEM;
	memcpy(fault->body, member->text, member->text_length + 1);
	fault->body_length = member->text_length;
	return 0;
}

static int complain_of_names(const struct reading *reading, const char *(*name)(unsigned),
                             unsigned count)
{
	char text[200] = "must be one of";

	for (unsigned i = 0; i < count; i++) {
		size_t length = strlen(text);

		if (name(i))
			snprintf(text + length, sizeof(text) - length, " %s", name(i));
	}
	return plan_complain(reading, text);
}

static const char *name_content(unsigned content)
{
	return content_name((enum content)content);
}

static int read_answer(struct reading *reading, const struct row *row, const struct member *member)
{
	enum content content = is_text(member) ? content_find(member->text) : CONTENTS;

	(void)row;
	if (content == CONTENTS)
		return complain_of_names(reading, name_content, CONTENTS);
	return set_content(reading, content);
}

static const char *const fates[FATES] = {
	[FATE_RESET] = "reset",
	[FATE_CLOSED] = "close",
	[FATE_SILENT] = "silence",
	[FATE_SELF_SIGNED] = "self-signed",
	[FATE_OTHER_HOST] = "other-host",
	[FATE_EXPIRED] = "expired",
	[FATE_NOT_YET_VALID] = "not-yet-valid",
	[FATE_OLD_TLS] = "tls1.1",
};

static const char *name_fate(unsigned fate)
{
	return fates[fate];
}

static const char *const framings[] = {
	[FRAMING_LENGTH] = "length",   [FRAMING_CHUNKED] = "chunked",
	[FRAMING_ENDLESS] = "endless", [FRAMING_WRONG_CHUNK] = "wrong-chunk",
	[FRAMING_CLOSE] = "close",
};

static const char *name_framing(unsigned framing)
{
	return framings[framing];
}

static const char *const sequels[SEQUELS] = {
	[SEQUEL_REPLY] = "reply",
	[SEQUEL_HALF] = "half-reply",
	[SEQUEL_TIMEOUT] = "timeout",
	[SEQUEL_DEAF] = "deaf",
};

static const char *name_sequel(unsigned sequel)
{
	return sequels[sequel];
}

/* The place of the member's text among the names, @count if it is not. */
static unsigned find_name(const struct member *member, const char *(*name)(unsigned),
                          unsigned count)
{
	unsigned i = is_text(member) ? 0 : count;

	while (i < count && !(name(i) && strcmp(name(i), member->text) == 0))
		i++;
	return i;
}

static int read_connection(struct reading *reading, const struct row *row,
                           const struct member *member)
{
	unsigned fate = find_name(member, name_fate, FATES);

	(void)row;
	if (fate == FATES)
		return complain_of_names(reading, name_fate, FATES);
	if (fate_is_of_tls((enum fate)fate) && !reading->has_tls)
		return plan_complain(reading, "only a sandbox with --tls can do that");
	reading->fault->fate = (enum fate)fate;
	return 0;
}

static int read_framing(struct reading *reading, const struct row *row, const struct member *member)
{
	unsigned framing = find_name(member, name_framing, array_length(framings));

	(void)row;
	if (framing == array_length(framings))
		return complain_of_names(reading, name_framing, array_length(framings));
	reading->fault->delivery.framing = (enum framing)framing;
	return 0;
}

static int read_then(struct reading *reading, const struct row *row, const struct member *member)
{
	unsigned sequel = find_name(member, name_sequel, SEQUELS);

	(void)row;
	if (sequel == SEQUELS)
		return complain_of_names(reading, name_sequel, SEQUELS);
	reading->fault->delivery.sequel = (enum sequel)sequel;
	return 0;
}

static int read_length_by(struct reading *reading, const struct row *row,
                          const struct member *member)
{
	bool is_negative = member->text && member->value[0] == '-';
	uint64_t number;

	(void)row;
	if (member->value[0] == '"' || !member->text ||
	    !message_read_number(member->text + is_negative, 1, LENGTH_BY_MAX, &number))
		return plan_complain(reading, "must be a whole number, and not 0");
	reading->fault->delivery.length_by = is_negative ? -(int64_t)number : (int64_t)number;
	return 0;
}

static int set_ending(struct reading *reading, enum ending ending)
{
	struct delivery *delivery = &reading->fault->delivery;

	if (delivery->ending != ENDING_NONE)
		return plan_complain(reading, "a rule has one end: cut_at, reset_at, stall_at, "
		                              "half_close_at or hang");
	delivery->ending = ending;
	return 0;
}

static const char *name_place(unsigned place)
{
	static const char *const places[] = {
		[PLACE_HEADERS] = "headers",
		[PLACE_BODY] = "body",
		[PLACE_END] = "end",
	};

	return places[place];
}

/* Where an answer ends: bytes of it, or a place by name. */
static int read_place(struct reading *reading, const struct row *row, const struct member *member)
{
	struct delivery *delivery = &reading->fault->delivery;
	unsigned place = find_name(member, name_place, PLACE_END + 1);

	if (place <= PLACE_END)
		delivery->place = (enum place)place;
	else if (member->value[0] == '"' || !member->text ||
	         !message_read_number(member->text, 0, UINT32_MAX, &delivery->bytes))
		return plan_complain(reading, "must be a number of bytes, or headers, body or end");
	return set_ending(reading, (enum ending)row->place);
}

static int read_hang(struct reading *reading, const struct row *row, const struct member *member)
{
	(void)row;
	if (strcmp(member->value, "true") == 0)
		return set_ending(reading, ENDING_STALL);
	return strcmp(member->value, "false") == 0
	               ? 0
	               : plan_complain(reading, "must be true or false");
}

/* Visible ASCII, and blanks in values. */
static bool is_of_header(const char *text, size_t length, char first)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] < first || text[i] > '~')
			return false;
	}
	return true;
}

/* libmicrohttpd would rather write these itself. */
static bool is_of_framing(const char *name)
{
	return strcasecmp(name, "Content-Length") == 0 ||
	       strcasecmp(name, "Transfer-Encoding") == 0 || strcasecmp(name, "Connection") == 0;
}

static int add_header(struct reading *reading, const struct member *header)
{
	struct fault *fault = reading->fault;
	int r;

	if (!header->name_length || !is_of_header(header->name, header->name_length, '!') ||
	    header->value[0] != '"' || !is_of_header(header->text, header->text_length, ' '))
		return plan_complain(reading, "must be an object of texts, in printable ASCII");
	fault->delivery.is_raw |= is_of_framing(header->name);
	r = buffer_append(&fault->headers, header->name, header->name_length + 1);
	return r ? r : buffer_append(&fault->headers, header->text, header->text_length + 1);
}

static int read_headers(struct reading *reading, const struct row *row, const struct member *member)
{
	cleanup(members_fini) struct members headers = { .items = NULL };
	int r;

	(void)row;
	r = members_read(member->value, member->value_length, &headers);
	if (r == MEMBERS_INVALID)
		return plan_complain(reading, "must be an object of texts, in printable ASCII");
	for (size_t i = 0; !r && i < headers.count; i++)
		r = add_header(reading, &headers.items[i]);
	return r;
}

#define AT(member)          offsetof(struct fault, member)
#define NUMBER(name, least) read_number, AT(name), 0, least

const struct row plan_rows[] = {
	{ "name", read_name, 0, 0, 0, 0, true },
	{ "connection", read_connection, 0, 0, 0, 0, true },
	{ "key", read_key, 0, 0, 0, 0, false },
	{ "kind", read_kind, 0, 0, 0, 0, false },
	{ "skip", NUMBER(skip, 0), UINT32_MAX, true },
	{ "count", read_number, AT(count), AT(is_counted), 1, UINT32_MAX, true },
	{ "probability", read_probability, 0, 0, 0, 0, true },
	{ "delay_ms", read_number, AT(delay_ms), AT(is_delayed), 0, DELAY_MS_MAX, false },
	{ "read_ms", NUMBER(read_ms, 0), DELAY_MS_MAX, false },
	{ "status", NUMBER(status, STATUS_MIN), STATUS_MAX, false },
	{ "body", read_body, 0, 0, 0, 0, false },
	{ "answer", read_answer, 0, 0, 0, 0, false },
	{ "size", NUMBER(size, 1), SIZE_MAX_HUGE, false },
	{ "headers", read_headers, 0, 0, 0, 0, false },
	{ "interim", NUMBER(delivery.interim, 0), 10000, false },
	{ "padding", NUMBER(delivery.padding, 0), 100000, false },
	{ "framing", read_framing, 0, 0, 0, 0, false },
	{ "length_by", read_length_by, 0, 0, 0, 0, false },
	{ "drip_bytes", NUMBER(delivery.drip_bytes, 1), 1 << 20, false },
	{ "drip_ms", NUMBER(delivery.drip_ms, 0), DELAY_MS_MAX, false },
	{ "cut_at", read_place, ENDING_CUT, 0, 0, 0, false },
	{ "reset_at", read_place, ENDING_RESET, 0, 0, 0, false },
	{ "stall_at", read_place, ENDING_STALL, 0, 0, 0, false },
	{ "half_close_at", read_place, ENDING_HALF_CLOSE, 0, 0, 0, false },
	{ "hang", read_hang, 0, 0, 0, 0, false },
	{ "then", read_then, 0, 0, 0, 0, false },
};

const size_t plan_row_count = array_length(plan_rows);
