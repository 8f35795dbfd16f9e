/* SPDX-License-Identifier: MIT */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "kapturefs/base/text.h"
#include "kapturefs/config/secret_file.h"
#include "kapturefs/config/secrets.h"
#include "kapturefs/model/json.h"
#include "kapturefs/model/key.h"

static bool has_control_byte(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return true;
	}
	return false;
}

/* What is pasted around a secret */

/* Blanks of any kind, and lines without anything. */
static bool take_blanks(struct text *text)
{
	size_t length = text->length;

	key_trim(text);
	if (text->length && text->start[0] == '\n')
		text_skip(text, 1);
	else if (text->length && text->start[text->length - 1] == '\n')
		text->length--;
	if (text->length == length)
		return false;
	(void)take_blanks(text);
	return true;
}

static bool take_quotes(struct text *text)
{
	static const struct {
		const char *left;
		const char *right;
	} quotes[] = {
		{ "\"", "\"" }, { "'", "'" }, { "`", "`" }, { "“", "”" }, { "‘", "’" },
	};

	for (size_t i = 0; i < array_length(quotes); i++) {
		size_t left = strlen(quotes[i].left);
		size_t right = strlen(quotes[i].right);

		if (text->length < left + right || memcmp(text->start, quotes[i].left, left) != 0 ||
		    memcmp(text->start + text->length - right, quotes[i].right, right) != 0)
			continue;
		text_skip(text, left);
		text->length -= right;
		return true;
	}
	return false;
}

/* A word and the blank behind it. */
static bool take_word(struct text *text, const char *word)
{
	size_t length = strlen(word);
	struct text rest = *text;

	if (text->length < length || strncasecmp(text->start, word, length) != 0)
		return false;
	text_skip(&rest, length);
	if (!take_blanks(&rest) && word[length - 1] != ':')
		return false;
	*text = rest;
	return true;
}

/* The token */

static void note(char notes[CONFIG_TOKEN_NOTES_SIZE], const char *what)
{
	size_t length = strlen(notes);

	if (!strstr(notes, what))
		snprintf(notes + length, CONFIG_TOKEN_NOTES_SIZE - length, "%s%s",
		         length ? ", " : "", what);
}

static struct text unwrap_token(const struct secret *secret, char notes[CONFIG_TOKEN_NOTES_SIZE])
{
	struct text token = { secret->bytes, secret->length };
	size_t length;

	notes[0] = '\0';
	if (secret->had_mark)
		note(notes, "a byte order mark");
	/* At the end of the file's line is nothing to be said of. */
	while (token.length && token.start[token.length - 1] == '\n')
		token.length--;
	do {
		length = token.length;
		if (take_blanks(&token))
			note(notes, "blanks");
		if (take_quotes(&token))
			note(notes, "quotation marks");
		if (take_word(&token, "Authorization:"))
			note(notes, "\"Authorization:\"");
		if (take_word(&token, "Basic"))
			note(notes, "\"Basic\"");
	} while (token.length != length);
	return token;
}

/* Why it can be no token; NULL if it can. */
static const char *find_fault(struct text token)
{
	static const char quotes[] = "\"'`";
	struct text word = token;

	if (!token.length)
		return "empty; write the API token into it";
	if (has_control_byte(token.start, token.length))
		return "more than one line, or control bytes; it must hold the token alone";
	for (size_t i = 0; i < token.length; i++) {
		if ((unsigned char)token.start[i] >= 0x80)
			return "a character in it is not ASCII; copy the token again";
	}
	if (take_word(&word, "Bearer"))
		return "begins with Bearer; a token of Kapture is sent as Basic, write it alone";
	if (memchr(token.start, '"', token.length) || strchr(quotes, token.start[0]) ||
	    strchr(quotes, token.start[token.length - 1]))
		return "a quotation mark in it; write the token alone";
	if (memchr(token.start, ' ', token.length))
		return "a blank in it, which no token has; write the token alone";
	return NULL;
}

static int read_token_file(const struct secret_place *place, struct config_secrets *ret,
                           struct config_complaint *complaint)
{
	cleanup(secret_wipe) struct secret secret;
	struct text token;
	const char *fault;
	int r;

	r = secret_read(place, &secret, complaint);
	if (r)
		return r;
	token = unwrap_token(&secret, ret->token_notes);
	fault = find_fault(token);
	if (fault)
		return secret_refuse(place, complaint, fault);

	ret->token = strndup(token.start, token.length);
	return ret->token ? 0 : -ENOMEM;
}

static int read_token(const struct config *config, struct config_secrets *ret,
                      struct config_complaint *complaint)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	struct secret_place place = { .option = "token_file", .path = config->token_file };
	char *path;
	int r;

	if (place.path)
		return read_token_file(&place, ret, complaint);
	if (!credentials)
		return config_complain(complaint,
		                       "no API token; put it into a file that only you can "
		                       "read and give -o token_file=PATH");

	if (asprintf(&path, "%s/kapture-token", credentials) < 0)
		return -ENOMEM;
	place.path = path;
	place.is_credential = true;
	r = read_token_file(&place, ret, complaint);
	free(path);
	return r;
}

/* Headers */

static int add_header(char ***headers, size_t *count, const char *line)
{
	char **grown = reallocarray(*headers, *count + 2, sizeof(char *));

	if (!grown)
		return -ENOMEM;
	*headers = grown;
	grown[*count] = strdup(line);
	if (!grown[*count])
		return -ENOMEM;
	grown[++*count] = NULL;
	return 0;
}

/* A name is a token of RFC 9110, 5.6.2. */
static bool is_header(const char *line)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t name = strspn(line, token);

	return name && line[name] == ':' && !has_control_byte(line, strlen(line));
}

/* A blank that is no ASCII is none to HTTP; so the value is what stands between them. */
static int add_plain_header(char ***headers, size_t *count, const char *line)
{
	const char *after = strchr(line, ':') + 1;
	struct text value = { after, strlen(after) };
	char *plain;
	int r;

	key_trim(&value);
	if (!value.length)
		return add_header(headers, count, line);
	if (asprintf(&plain, "%.*s %.*s", (int)(after - line), line, (int)value.length,
	             value.start) < 0)
		return -ENOMEM;
	r = add_header(headers, count, plain);
	explicit_bzero(plain, strlen(plain));
	free(plain);
	return r;
}

/*
 * The name of @line among those that are no matter of a file: what is of a connection (RFC 9110,
 * 7.6.1), frames the body, or is sent already. Any of them twice, and proxy and server may each
 * believe another. NULL if it is none.
 */
static const char *find_reserved(const char *line)
{
	static const char *const names[] = {
		"Authorization",
		"Connection",
		"Content-Encoding",
		"Content-Length",
		"Content-Type",
		"Expect",
		"Host",
		"HTTP2-Settings",
		"Keep-Alive",
		"Proxy-Authenticate",
		"Proxy-Authorization",
		"Proxy-Connection",
		"TE",
		"Trailer",
		"Transfer-Encoding",
		"Upgrade",
	};
	size_t length = strcspn(line, ":");

	for (size_t i = 0; i < array_length(names); i++) {
		if (strlen(names[i]) == length && strncasecmp(line, names[i], length) == 0)
			return names[i];
	}
	return NULL;
}

static int take_header(const struct secret_place *place, char *line, unsigned number,
                       char ***headers, size_t *count, struct config_complaint *complaint)
{
	struct text header = { line, strlen(line) };
	const char *reserved;
	char why[128];

	do {
		(void)take_blanks(&header);
	} while (take_quotes(&header));
	if (!header.length)
		return 0;
	line += header.start - line;
	line[header.length] = '\0';
	reserved = is_header(line) ? find_reserved(line) : NULL;
	if (reserved) {
		snprintf(why, sizeof(why),
		         "line %u is a header %s, which kapturefs itself sends or never does; "
		         "leave it out",
		         number, reserved);
		return secret_refuse(place, complaint, why);
	}
	if (is_header(line))
		return add_plain_header(headers, count, line);
	snprintf(why, sizeof(why), "line %u is no `Name: value`%s", number,
	         strncmp(line, "-H", 2) == 0 ? "; write it without -H" : "");
	return secret_refuse(place, complaint, why);
}

static int read_headers(const struct config *config, char ***ret,
                        struct config_complaint *complaint)
{
	const struct secret_place place = { .option = "header_file", .path = config->header_file };
	cleanup(secret_wipe) struct secret secret;
	char *rest = secret.bytes;
	unsigned number = 0;
	size_t count = 0;
	char *line;
	int r;

	if (!place.path)
		return 0;
	r = secret_read(&place, &secret, complaint);
	if (!r && strlen(secret.bytes) != secret.length)
		return secret_refuse(&place, complaint, "NUL byte");
	while (!r && (line = strsep(&rest, "\n")))
		r = take_header(&place, line, ++number, ret, &count, complaint);
	return r;
}

/* The extra members of requests */

/* Whether the string of JSON behind the quotation mark before @at is @name, whatever the case. */
static bool is_named(const char *at, const char *name)
{
	for (; *name; name++) {
		unsigned character = (unsigned char)*at;
		int used = 1;

		if (strncmp(at, "\\u", 2) == 0)
			(void)sscanf(at, "\\u%4x%n", &character, &used);
		if (character > 0x7f || tolower((int)character) != tolower((unsigned char)*name))
			return false;
		at += used;
	}
	return *at == '"';
}

/* Of two members of one name the last counts for most servers: that of the file. */
static int check_name(const struct secret_place *place, const char *text, const char *name,
                      struct config_complaint *complaint)
{
	static const char *const own[] = {
		"kapture_customer_id", "phone",         "email_id", "cm_id",
		"createStartDate",     "createEndDate", "limit",    "offset"
	};
	unsigned line = 1;
	char why[128];

	for (size_t i = 0; i < array_length(own); i++) {
		if (!is_named(name, own[i]))
			continue;
		for (const char *at = text; at < name; at++)
			line += *at == '\n';
		snprintf(
		        why, sizeof(why),
		        "line %u has the member %s, with which kapturefs itself asks; leave it out",
		        line, own[i]);
		return secret_refuse(place, complaint, why);
	}
	return 0;
}

/* Between a value and the next member's name there are only blanks and a comma. */
static int check_names(const struct secret_place *place, const char *text,
                       const struct json_scan *scan, struct config_complaint *complaint)
{
	const char *at = text;
	int r = 0;

	for (size_t i = 0; !r && i < scan->member_count; i++) {
		r = check_name(place, text, strchr(at, '"') + 1, complaint);
		at = text + scan->members[i].start + scan->members[i].length;
	}
	return r;
}

static int scan_members(const struct secret_place *place, const struct secret *secret,
                        size_t *ret_count, struct config_complaint *complaint)
{
	struct json_scan scan;
	size_t offset;
	char why[64];
	int r;

	r = json_scan(secret->bytes, secret->length, &scan, &offset);
	if (r == -EPROTO) {
		snprintf(why, sizeof(why), "no JSON from byte %zu on", offset);
		return secret_refuse(place, complaint, why);
	}
	if (r)
		return r;
	*ret_count = scan.member_count;
	r = check_names(place, secret->bytes, &scan, complaint);
	json_scan_fini(&scan);
	return r;
}

static int read_members(const struct config *config, char **ret, struct config_complaint *complaint)
{
	const struct secret_place place = { .option = "body_file", .path = config->body_file };
	cleanup(secret_wipe) struct secret secret;
	size_t count = 0;
	char *first;
	char *last;
	int r;

	if (!place.path)
		return 0;
	r = secret_read(&place, &secret, complaint);
	if (!r)
		r = scan_members(&place, &secret, &count, complaint);
	if (r)
		return r;

	first = secret.bytes + strspn(secret.bytes, "\xef\xbb\xbf \t\r\n");
	if (*first != '{')
		return secret_refuse(&place, complaint, "not a JSON object");
	if (!count)
		return 0;
	last = strrchr(first, '}');
	*ret = strndup(first + 1, (size_t)(last - first - 1));
	return *ret ? 0 : -ENOMEM;
}

/* All of them */

/* They are no secret; but without them nobody can be trusted, however often it is tried. */
static int check_authorities(const struct config *config, struct config_complaint *complaint)
{
	const struct secret_place place = { .option = "cafile", .path = config->cafile };
	char byte;
	int file;
	int error = 0;

	if (!config->cafile)
		return 0;
	file = open(config->cafile, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file < 0)
		return secret_refuse(&place, complaint, strerror(errno));
	if (read(file, &byte, 1) < 0)
		error = errno;
	close(file);
	return error ? secret_refuse(&place, complaint, strerror(error))
	             : secret_check_way(&place, complaint);
}

int config_read_secrets(const struct config *config, struct config_secrets *ret,
                        struct config_complaint *complaint)
{
	struct config_secrets secrets = { 0 };
	int r;

	r = read_token(config, &secrets, complaint);
	if (!r)
		r = read_headers(config, &secrets.headers, complaint);
	if (!r)
		r = read_members(config, &secrets.request_members, complaint);
	if (!r)
		r = check_authorities(config, complaint);
	if (r) {
		config_secrets_fini(&secrets);
		return r;
	}
	*ret = secrets;
	return 0;
}

int config_check_secrets(const struct config *config, struct config_complaint *complaint)
{
	cleanup(config_secrets_fini) struct config_secrets secrets = { 0 };
	int r = 0;

	if (config->token_file)
		r = read_token(config, &secrets, complaint);
	if (!r)
		r = read_headers(config, &secrets.headers, complaint);
	if (!r)
		r = read_members(config, &secrets.request_members, complaint);
	if (!r)
		r = check_authorities(config, complaint);
	return r;
}

static void wipe_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void config_secrets_fini(struct config_secrets *secrets)
{
	wipe_text(secrets->token);
	wipe_text(secrets->request_members);
	for (char **header = secrets->headers; header && *header; header++)
		wipe_text(*header);
	free(secrets->headers);
	*secrets = (struct config_secrets){ 0 };
}
