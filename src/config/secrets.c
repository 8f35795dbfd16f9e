/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/base/text.h"
#include "kapturefs/config/secrets.h"
#include "kapturefs/model/json.h"
#include "kapturefs/model/key.h"

enum { SECRET_SIZE_MAX = 64 << 10 };

/* A file, and how the user came to name it. */
struct place {
	const char *option;
	const char *path;
	bool is_credential; /* of systemd */
};

/* The content of a secret file, wiped when its scope ends. */
struct secret {
	char bytes[SECRET_SIZE_MAX + 1];
	size_t length;
	bool had_mark; /* of the order of bytes */
};

static void secret_wipe(struct secret *secret)
{
	explicit_bzero(secret, sizeof(*secret));
}

static void close_descriptor(const int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

static int refuse(const struct place *place, struct config_complaint *complaint, const char *why)
{
	config_complain(complaint, "%s=%s: %s", place->option, place->path, why);
	complaint->option = place->option;
	return -EINVAL;
}

/*
 * systemd lets a service's user read a credential of root's by an access control list where the
 * file system has them, and stat() shows the list's mask as the mode's group bits.
 */
static mode_t forbidden_mode(const struct place *place, const struct stat *status)
{
	mode_t all = S_IRWXG | S_IRWXO;

	return place->is_credential && status->st_uid == 0 ? all & ~(mode_t)S_IRGRP : all;
}

static int check_file(const struct place *place, const struct stat *status,
                      struct config_complaint *complaint)
{
	if (!S_ISREG(status->st_mode))
		return refuse(place, complaint, "not a regular file");
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return refuse(place, complaint, "belongs to another user; chown it");
	if (status->st_mode & forbidden_mode(place, status))
		return refuse(place, complaint,
		              "others may use it; run chmod 600 on it, and consider known what it "
		              "holds");
	if (status->st_size > SECRET_SIZE_MAX)
		return refuse(place, complaint, "over 64 KiB");
	return 0;
}

static int read_file(const struct place *place, struct secret *ret,
                     struct config_complaint *complaint)
{
	cleanup(close_descriptor) int descriptor = -1;
	struct stat status;
	const char *why;
	ssize_t length;
	int r;

	ret->length = 0;
	descriptor = open(place->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0 && errno == ELOOP)
		return refuse(place, complaint, "a symbolic link; name the file itself");
	if (descriptor < 0 || fstat(descriptor, &status) < 0)
		return refuse(place, complaint, strerror(errno));
	r = check_file(place, &status, complaint);
	if (r)
		return r;

	while ((length = read(descriptor, ret->bytes + ret->length,
	                      SECRET_SIZE_MAX - ret->length)) > 0)
		ret->length += (size_t)length;
	if (length < 0)
		return refuse(place, complaint, strerror(errno));
	ret->had_mark = ret->length >= 3 && memcmp(ret->bytes, "\xef\xbb\xbf", 3) == 0;
	why = text_make_plain(ret->bytes, &ret->length);
	if (why)
		return refuse(place, complaint, why);
	ret->bytes[ret->length] = '\0';
	return 0;
}

static bool has_control_byte(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return true;
	}
	return false;
}

/* What is pasted around a secret */

struct paste {
	const char *start;
	size_t length;
};

static void skip(struct paste *paste, size_t count)
{
	paste->start += count;
	paste->length -= count;
}

/* Blanks of any kind, and lines without anything. */
static bool take_blanks(struct paste *paste)
{
	size_t length = paste->length;

	key_trim(&paste->start, &paste->length);
	if (paste->length && paste->start[0] == '\n')
		skip(paste, 1);
	else if (paste->length && paste->start[paste->length - 1] == '\n')
		paste->length--;
	if (paste->length == length)
		return false;
	(void)take_blanks(paste);
	return true;
}

static bool take_quotes(struct paste *paste)
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

		if (paste->length < left + right ||
		    memcmp(paste->start, quotes[i].left, left) != 0 ||
		    memcmp(paste->start + paste->length - right, quotes[i].right, right) != 0)
			continue;
		skip(paste, left);
		paste->length -= right;
		return true;
	}
	return false;
}

/* A word and the blank behind it. */
static bool take_word(struct paste *paste, const char *word)
{
	size_t length = strlen(word);
	struct paste rest = *paste;

	if (paste->length < length || strncasecmp(paste->start, word, length) != 0)
		return false;
	skip(&rest, length);
	if (!take_blanks(&rest) && word[length - 1] != ':')
		return false;
	*paste = rest;
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

static struct paste unwrap_token(const struct secret *secret, char notes[CONFIG_TOKEN_NOTES_SIZE])
{
	struct paste token = { secret->bytes, secret->length };
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
static const char *find_fault(struct paste token)
{
	static const char quotes[] = "\"'`";

	if (!token.length)
		return "empty; write the API token into it";
	if (has_control_byte(token.start, token.length))
		return "more than one line, or control bytes; it must hold the token alone";
	for (size_t i = 0; i < token.length; i++) {
		if ((unsigned char)token.start[i] >= 0x80)
			return "a character in it is not ASCII; copy the token again";
	}
	if (memchr(token.start, '"', token.length) || strchr(quotes, token.start[0]) ||
	    strchr(quotes, token.start[token.length - 1]))
		return "a quotation mark in it; write the token alone";
	if (take_word(&token, "Bearer"))
		return "begins with Bearer; a token of Kapture is sent as Basic, write it alone";
	return NULL;
}

static int read_token_file(const struct place *place, struct config_secrets *ret,
                           struct config_complaint *complaint)
{
	cleanup(secret_wipe) struct secret secret;
	struct paste token;
	const char *fault;
	int r;

	r = read_file(place, &secret, complaint);
	if (r)
		return r;
	token = unwrap_token(&secret, ret->token_notes);
	fault = find_fault(token);
	if (fault)
		return refuse(place, complaint, fault);

	ret->token = strndup(token.start, token.length);
	return ret->token ? 0 : -ENOMEM;
}

static int read_token(const struct config *config, struct config_secrets *ret,
                      struct config_complaint *complaint)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	struct place place = { .option = "token_file", .path = config->token_file };
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
	const char *value = strchr(line, ':') + 1;
	size_t length = strlen(value);
	char *plain;
	int r;

	key_trim(&value, &length);
	if (!length)
		return add_header(headers, count, line);
	if (asprintf(&plain, "%.*s %.*s", (int)(strchr(line, ':') + 1 - line), line, (int)length,
	             value) < 0)
		return -ENOMEM;
	r = add_header(headers, count, plain);
	explicit_bzero(plain, strlen(plain));
	free(plain);
	return r;
}

static int take_header(const struct place *place, char *line, unsigned number, char ***headers,
                       size_t *count, struct config_complaint *complaint)
{
	struct paste header = { line, strlen(line) };
	char why[64];

	do {
		(void)take_blanks(&header);
	} while (take_quotes(&header));
	if (!header.length)
		return 0;
	line += header.start - line;
	line[header.length] = '\0';
	if (is_header(line))
		return add_plain_header(headers, count, line);
	snprintf(why, sizeof(why), "line %u is no `Name: value`%s", number,
	         strncmp(line, "-H", 2) == 0 ? "; write it without -H" : "");
	return refuse(place, complaint, why);
}

static int read_headers(const struct config *config, char ***ret,
                        struct config_complaint *complaint)
{
	const struct place place = { .option = "header_file", .path = config->header_file };
	cleanup(secret_wipe) struct secret secret;
	char *rest = secret.bytes;
	unsigned number = 0;
	size_t count = 0;
	char *line;
	int r;

	if (!place.path)
		return 0;
	r = read_file(&place, &secret, complaint);
	if (!r && strlen(secret.bytes) != secret.length)
		return refuse(&place, complaint, "NUL byte");
	while (!r && (line = strsep(&rest, "\n")))
		r = take_header(&place, line, ++number, ret, &count, complaint);
	return r;
}

/* The extra members of requests */

static int scan_members(const struct place *place, const struct secret *secret, size_t *ret_count,
                        struct config_complaint *complaint)
{
	struct json_scan scan;
	size_t offset;
	char why[64];
	int r;

	r = json_scan(secret->bytes, secret->length, &scan, &offset);
	if (r == -EPROTO) {
		snprintf(why, sizeof(why), "no JSON from byte %zu on", offset);
		return refuse(place, complaint, why);
	}
	if (r)
		return r;
	*ret_count = scan.member_count;
	json_scan_fini(&scan);
	return 0;
}

static int read_members(const struct config *config, char **ret, struct config_complaint *complaint)
{
	const struct place place = { .option = "body_file", .path = config->body_file };
	cleanup(secret_wipe) struct secret secret;
	size_t count;
	char *first;
	char *last;
	int r;

	if (!place.path)
		return 0;
	r = read_file(&place, &secret, complaint);
	if (!r)
		r = scan_members(&place, &secret, &count, complaint);
	if (r)
		return r;

	first = secret.bytes + strspn(secret.bytes, "\xef\xbb\xbf \t\r\n");
	if (*first != '{')
		return refuse(&place, complaint, "not a JSON object");
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
	const struct place place = { .option = "cafile", .path = config->cafile };
	char byte;
	int file;
	int error = 0;

	if (!config->cafile)
		return 0;
	file = open(config->cafile, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file < 0)
		return refuse(&place, complaint, strerror(errno));
	if (read(file, &byte, 1) < 0)
		error = errno;
	close(file);
	return error ? refuse(&place, complaint, strerror(error)) : 0;
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
