/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/config/secrets.h"
#include "kapturefs/model/json.h"

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

/* The token */

static bool is_line_end(char byte)
{
	return byte == '\n' || byte == '\r';
}

static int read_token_file(const struct place *place, char **ret,
                           struct config_complaint *complaint)
{
	cleanup(secret_wipe) struct secret secret;
	int r;

	r = read_file(place, &secret, complaint);
	if (r)
		return r;
	while (secret.length && is_line_end(secret.bytes[secret.length - 1]))
		secret.length--;
	if (!secret.length)
		return refuse(place, complaint, "empty; write the API token into it");
	if (has_control_byte(secret.bytes, secret.length))
		return refuse(place, complaint,
		              "more than one line, or control bytes; it must hold the token alone");

	*ret = strndup(secret.bytes, secret.length);
	return *ret ? 0 : -ENOMEM;
}

static int read_token(const struct config *config, char **ret, struct config_complaint *complaint)
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

static int take_header(const struct place *place, char *line, unsigned number, char ***headers,
                       size_t *count, struct config_complaint *complaint)
{
	size_t length = strlen(line);
	char why[64];

	if (length && line[length - 1] == '\r')
		line[--length] = '\0';
	if (!length)
		return 0;
	if (is_header(line))
		return add_header(headers, count, line);
	snprintf(why, sizeof(why), "line %u is no `Name: value`", number);
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

int config_read_secrets(const struct config *config, struct config_secrets *ret,
                        struct config_complaint *complaint)
{
	struct config_secrets secrets = { 0 };
	int r;

	r = read_token(config, &secrets.token, complaint);
	if (!r)
		r = read_headers(config, &secrets.headers, complaint);
	if (!r)
		r = read_members(config, &secrets.request_members, complaint);
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
		r = read_token(config, &secrets.token, complaint);
	if (!r)
		r = read_headers(config, &secrets.headers, complaint);
	if (!r)
		r = read_members(config, &secrets.request_members, complaint);
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
