/* SPDX-License-Identifier: MIT */
/* The part of config that reads secrets from files. No complaint may quote what a file holds. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/config.h"
#include "kapturefs/model/json.h"

enum { SECRET_SIZE_MAX = 64 << 10 };

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

static int check_file(const char *name, const char *path, const struct stat *status,
                      struct config_complaint *complaint)
{
	if (!S_ISREG(status->st_mode))
		return config_complain(complaint, "%s=%s: not a regular file", name, path);
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return config_complain(complaint, "%s=%s: belongs to another user; chown it", name,
		                       path);
	if (status->st_mode & (S_IRWXG | S_IRWXO))
		return config_complain(
		        complaint,
		        "%s=%s: others may use it; run chmod 600 %s and consider what it "
		        "holds known",
		        name, path, path);
	if (status->st_size > SECRET_SIZE_MAX)
		return config_complain(complaint, "%s=%s: over 64 KiB", name, path);
	return 0;
}

static int read_file(const char *name, const char *path, struct secret *ret,
                     struct config_complaint *complaint)
{
	cleanup(close_descriptor) int descriptor = -1;
	struct stat status;
	ssize_t length;
	int r;

	descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0 && errno == ELOOP)
		return config_complain(complaint, "%s=%s: a symbolic link; name the file itself",
		                       name, path);
	if (descriptor < 0)
		return config_complain(complaint, "%s=%s: %s", name, path, strerror(errno));
	if (fstat(descriptor, &status) < 0)
		return config_complain(complaint, "%s=%s: %s", name, path, strerror(errno));
	r = check_file(name, path, &status, complaint);
	if (r)
		return r;

	ret->length = 0;
	while ((length = read(descriptor, ret->bytes + ret->length,
	                      SECRET_SIZE_MAX - ret->length)) > 0)
		ret->length += (size_t)length;
	if (length < 0)
		return config_complain(complaint, "%s=%s: %s", name, path, strerror(errno));
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

static int read_token(const struct config *config, char **ret, struct config_complaint *complaint)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	cleanup(secret_wipe) struct secret secret;
	char path[PATH_MAX];
	int r;

	if (config->token_file)
		snprintf(path, sizeof(path), "%s", config->token_file);
	else if (credentials)
		snprintf(path, sizeof(path), "%s/kapture-token", credentials);
	else
		return config_complain(complaint,
		                       "no API token; put it into a file that only you can "
		                       "read and give -o token_file=PATH");

	r = read_file("token_file", path, &secret, complaint);
	if (r)
		return r;
	while (secret.length && strchr("\r\n", secret.bytes[secret.length - 1]))
		secret.length--;
	if (!secret.length)
		return config_complain(complaint,
		                       "token_file=%s: empty; write the API token into it", path);
	if (has_control_byte(secret.bytes, secret.length))
		return config_complain(
		        complaint,
		        "token_file=%s: more than one line, or control bytes; it must hold "
		        "the token alone",
		        path);

	*ret = strndup(secret.bytes, secret.length);
	return *ret ? 0 : -ENOMEM;
}

static int add_header(char ***headers, size_t *count, const char *line)
{
	char **grown = realloc(*headers, (*count + 2) * sizeof(char *));

	if (!grown)
		return -ENOMEM;
	*headers = grown;
	grown[*count] = strdup(line);
	if (!grown[*count])
		return -ENOMEM;
	grown[++*count] = NULL;
	return 0;
}

static bool is_header(const char *line)
{
	const char *colon = strchr(line, ':');

	return colon && colon > line && !has_control_byte(line, strlen(line)) &&
	       strcspn(line, " \t") > (size_t)(colon - line);
}

static int read_headers(const struct config *config, char ***ret,
                        struct config_complaint *complaint)
{
	cleanup(secret_wipe) struct secret secret;
	char *rest = secret.bytes;
	size_t count = 0;
	char *line;
	int number = 0;
	int r;

	if (!config->header_file)
		return 0;
	r = read_file("header_file", config->header_file, &secret, complaint);
	if (r)
		return r;
	if (strlen(secret.bytes) != secret.length)
		return config_complain(complaint, "header_file=%s: NUL byte", config->header_file);

	while ((line = strsep(&rest, "\n"))) {
		number++;
		line[strcspn(line, "\r")] = '\0';
		if (!*line)
			continue;
		if (!is_header(line))
			return config_complain(complaint,
			                       "header_file=%s: line %d is no `Name: value`",
			                       config->header_file, number);
		r = add_header(ret, &count, line);
		if (r)
			return r;
	}
	return 0;
}

static int read_members(const struct config *config, char **ret, struct config_complaint *complaint)
{
	cleanup(secret_wipe) struct secret secret;
	struct json_scan scan;
	size_t member_count;
	size_t offset;
	char *first;
	char *last;
	int r;

	if (!config->body_file)
		return 0;
	r = read_file("body_file", config->body_file, &secret, complaint);
	if (r)
		return r;
	r = json_scan(secret.bytes, secret.length, &scan, &offset);
	if (r == -EPROTO)
		return config_complain(complaint, "body_file=%s: no JSON from byte %zu on",
		                       config->body_file, offset);
	if (r)
		return r;
	member_count = scan.member_count;
	json_scan_fini(&scan);

	first = secret.bytes + strspn(secret.bytes, "\xef\xbb\xbf \t\r\n");
	if (*first != '{')
		return config_complain(complaint, "body_file=%s: not a JSON object",
		                       config->body_file);
	if (!member_count)
		return 0;
	last = strrchr(first, '}');
	*ret = strndup(first + 1, (size_t)(last - first - 1));
	return *ret ? 0 : -ENOMEM;
}

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
