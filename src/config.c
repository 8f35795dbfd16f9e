/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/config.h"

enum { OPTIONS_SIZE_MAX = 64 << 10 };

enum option_type {
	OPTION_PATH, /* a string that names a file */
	OPTION_TEXT,
	OPTION_SECONDS,
	OPTION_COUNT,
	OPTION_RATE, /* thousandths, with /s behind */
	OPTION_SIZE, /* bytes, with K, M, G behind */
	OPTION_OCTAL,
	OPTION_FLAG,
	OPTION_FUSE,    /* handed on to libfuse */
	OPTION_IGNORED, /* words of fstab that concern mount(8), or are true anyway */
	OPTION_REFUSED, /* the help says why */
};

struct option {
	const char *name;
	enum option_type type;
	size_t offset; /* in struct config */
	uint64_t minimum;
	uint64_t maximum;
	uint64_t initial;
	const char *argument; /* for --help, NULL to leave the option out */
	const char *initial_text;
	const char *help;
};

#define DAYS_MAX (UINT64_C(10000) * 86400)
#define TEXT(n, argument, initial, help)                                                           \
	{                                                                                          \
#n, OPTION_TEXT, offsetof(struct config, n), 0, 0, 0, argument, initial, help      \
	}
#define PATH(n, initial, help)                                                                     \
	{                                                                                          \
#n, OPTION_PATH, offsetof(struct config, n), 0, 0, 0, "PATH", initial, help        \
	}
#define SECONDS(n, least, initial, help)                                                           \
	{                                                                                          \
#n, OPTION_SECONDS, offsetof(struct config, n), least, DAYS_MAX, initial,          \
		        "SECONDS", #initial, help                                                  \
	}
#define COUNT(n, least, most, initial, help)                                                       \
	{                                                                                          \
#n, OPTION_COUNT, offsetof(struct config, n), least, most, initial, "N", #initial, \
		        help                                                                       \
	}
#define PASSED_ON(n, help)                                                                         \
	{                                                                                          \
#n, OPTION_FUSE, 0, 0, 0, 0, "", "off", help                                       \
	}
#define IGNORED(n)                                                                                 \
	{                                                                                          \
		n, OPTION_IGNORED, 0, 0, 0, 0, NULL, NULL, NULL                                    \
	}

static const struct option options[] = {
	PATH(token_file, "", "file with the API token, readable by its owner only"),
	PATH(header_file, "", "extra request headers, one a line, same permission rule"),
	PATH(body_file, "", "a JSON object whose members go into every request"),
	PATH(cache, "by host", "SQLite file of the cache; :memory: keeps nothing on disk"),
	SECONDS(ttl, 0, 300, "how long an answer counts as fresh"),
	SECONDS(negative_ttl, 0, 60, "how long \"does not exist\" counts"),
	SECONDS(max_stale, 0, 86400, "how long past its ttl an answer may stand in for a new one"),
	SECONDS(timeout, 1, 30, "the most that one lookup may wait, retries included"),
	SECONDS(patience, 0, 2, "the most that a lookup waits when an old answer can be served"),
	SECONDS(connect_timeout, 1, 5, "the most that connecting may take"),
	COUNT(retries, 0, 10, 3, "tries after one that failed in a way that may pass"),
	COUNT(max_connections, 1, 256, 8, "concurrent API requests"),
	{ "rate", OPTION_RATE, offsetof(struct config, rate), 1000, 10000000, 10000, "N/s", "10/s",
	  "API requests a second, whatever their cause" },
	COUNT(burst, 1, 100000, 20, "API requests that may go out at once after a quiet time"),
	{ "memory", OPTION_SIZE, offsetof(struct config, memory), 0, UINT64_C(1) << 40,
	  UINT64_C(64) << 20, "SIZE", "64M", "customers kept parsed in memory" },
	COUNT(busy_poll, 0, 1000, 50, "microseconds to look for a next request before sleeping"),
	TEXT(proxy, "URL", "none", "an HTTP proxy; the environment's is ignored"),
	{ "offline", OPTION_FLAG, offsetof(struct config, offline), 0, 1, 0, "", "off",
	  "never ask the API; serve what is cached, however old" },
	PATH(cafile, "system", "certificate authorities"),
	{ "uid", OPTION_COUNT, offsetof(struct config, uid), 0, UINT32_MAX - 1, 0, "N",
	  "mounting user", "owner shown" },
	{ "gid", OPTION_COUNT, offsetof(struct config, gid), 0, UINT32_MAX - 1, 0, "N", "its group",
	  "group shown" },
	{ "umask", OPTION_OCTAL, offsetof(struct config, umask), 0, 0777, 0277, "MODE", "0277",
	  "permissions taken away" },
	PASSED_ON(allow_other, "let other users in, as far as owner and mode shown allow"),
	PASSED_ON(allow_root, "let root in"),
	PASSED_ON(auto_unmount, "unmount when the daemon dies"),
	{ "token", OPTION_REFUSED, 0, 0, 0, 0, NULL, NULL,
	  "other users would see the token; put it into a file and give token_file=PATH" },
	{ "rw", OPTION_IGNORED, 0, 0, 0, 0, NULL, NULL, NULL },
	IGNORED("ro"),
	IGNORED("defaults"),
	IGNORED("auto"),
	IGNORED("noauto"),
	IGNORED("user"),
	IGNORED("users"),
	IGNORED("nouser"),
	IGNORED("nofail"),
	IGNORED("_netdev"),
	IGNORED("dev"),
	IGNORED("suid"),
	IGNORED("exec"),
	IGNORED("nosuid"),
	IGNORED("nodev"),
	IGNORED("noexec"),
	IGNORED("noatime"),
	IGNORED("relatime"),
	IGNORED("default_permissions"),
};

int config_complain(struct config_complaint *complaint, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(complaint->text, sizeof(complaint->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static void *place_of(struct config *config, const struct option *option)
{
	return (char *)config + option->offset;
}

void config_init(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < array_length(options); i++) {
		if (options[i].initial)
			*(uint64_t *)place_of(config, &options[i]) = options[i].initial;
	}
	config->uid = getuid();
	config->gid = getgid();
}

void config_fini(struct config *config)
{
	free(config->base_url);
	free(config->host);
	free(config->fuse_options);
	for (size_t i = 0; i < array_length(options); i++) {
		if (options[i].type == OPTION_PATH || options[i].type == OPTION_TEXT)
			free(*(char **)place_of(config, &options[i]));
	}
	*config = (struct config){ 0 };
}

/* Options */

static int set_text(char **place, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

/* A relative path is meant from here; the daemon works in /. */
static int set_path(char **place, const char *value)
{
	char *directory;
	char *path;
	int length;

	if (value[0] == '/' || strcmp(value, ":memory:") == 0)
		return set_text(place, value);

	directory = getcwd(NULL, 0);
	if (!directory)
		return -errno;
	length = asprintf(&path, "%s/%s", directory, value);
	free(directory);
	if (length < 0)
		return -ENOMEM;

	free(*place);
	*place = path;
	return 0;
}

static uint64_t unit_factor(char unit)
{
	switch (unit) {
	case 'K':
		return UINT64_C(1) << 10;
	case 'M':
		return UINT64_C(1) << 20;
	case 'G':
		return UINT64_C(1) << 30;
	default:
		return 0;
	}
}

/* Read a number that nothing follows, but for the unit of a size. */
static bool parse_number(const struct option *option, const char *value, uint64_t *ret)
{
	uint64_t factor = 1;
	uint64_t number;
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return false;
	errno = 0;
	number = strtoull(value, &end, option->type == OPTION_OCTAL ? 8 : 10);
	if (errno)
		return false;
	if (option->type == OPTION_RATE) {
		factor = 1000;
		if (strcmp(end, "/s") == 0)
			end += 2;
	}
	if (option->type == OPTION_SIZE && *end) {
		factor = unit_factor(*end++);
		if (!factor)
			return false;
	}
	return !*end && !__builtin_mul_overflow(number, factor, ret);
}

static int set_number(struct config *config, const struct option *option, const char *value,
                      struct config_complaint *complaint)
{
	const char *format = option->type == OPTION_OCTAL
	                             ? "option %s=%s: give an octal number from %#llo to %#llo"
	                             : "option %s=%s: give a number from %llu to %llu";
	uint64_t number;

	if (!parse_number(option, value, &number) || number < option->minimum ||
	    number > option->maximum) {
		/* Both formats take the same arguments. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(complaint->text, sizeof(complaint->text), format, option->name, value,
		         (unsigned long long)option->minimum, (unsigned long long)option->maximum);
#pragma GCC diagnostic pop
		return -EINVAL;
	}
	*(uint64_t *)place_of(config, option) = number;
	return 0;
}

static int add_fuse_option(struct config *config, const char *word)
{
	char *joined;

	if (!config->fuse_options)
		return set_text(&config->fuse_options, word);
	if (asprintf(&joined, "%s,%s", config->fuse_options, word) < 0)
		return -ENOMEM;
	free(config->fuse_options);
	config->fuse_options = joined;
	return 0;
}

static bool takes_value(enum option_type type)
{
	return type != OPTION_FLAG && type != OPTION_FUSE && type != OPTION_IGNORED &&
	       type != OPTION_REFUSED;
}

static int set_option(struct config *config, const struct option *option, const char *value,
                      struct config_complaint *complaint)
{
	if (option->type == OPTION_REFUSED)
		return config_complain(complaint, "option %s is refused: %s", option->name,
		                       option->help);
	if (takes_value(option->type) && (!value || !*value))
		return config_complain(complaint, "option %s needs a value: %s=%s", option->name,
		                       option->name, option->argument);
	if (!takes_value(option->type) && value)
		return config_complain(complaint, "option %s takes no value", option->name);

	switch (option->type) {
	case OPTION_PATH:
		return set_path(place_of(config, option), value);
	case OPTION_TEXT:
		return set_text(place_of(config, option), value);
	case OPTION_SECONDS:
	case OPTION_COUNT:
	case OPTION_RATE:
	case OPTION_SIZE:
	case OPTION_OCTAL:
		return set_number(config, option, value, complaint);
	case OPTION_FLAG:
		*(bool *)place_of(config, option) = true;
		return 0;
	case OPTION_FUSE:
		return add_fuse_option(config, option->name);
	case OPTION_IGNORED:
	case OPTION_REFUSED:
		break;
	}
	return 0;
}

static int take_word(struct config *config, char *word, struct config_complaint *complaint)
{
	char *value = strchr(word, '=');

	if (!*word || strncmp(word, "x-", 2) == 0 || strncmp(word, "comment=", 8) == 0)
		return 0;
	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < array_length(options); i++) {
		if (strcmp(word, options[i].name) == 0)
			return set_option(config, &options[i], value, complaint);
	}
	return config_complain(complaint, "unknown option %s; kapturefs --help lists them", word);
}

int config_set_options(struct config *config, const char *text, struct config_complaint *complaint)
{
	char *copy = strdup(text);
	char *rest = copy;
	char *word;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	while (!r && (word = strsep(&rest, ",")))
		r = take_word(config, word, complaint);
	free(copy);
	return r;
}

void config_print_options(FILE *stream)
{
	for (size_t i = 0; i < array_length(options); i++) {
		char name[64];

		if (!options[i].argument)
			continue;
		snprintf(name, sizeof(name), "%s%s%s", options[i].name,
		         *options[i].argument ? "=" : "", options[i].argument);
		fprintf(stream, "  %-24s %s", name, options[i].help);
		if (*options[i].initial_text)
			fprintf(stream, " (default: %s)", options[i].initial_text);
		fputc('\n', stream);
	}
}

/* Source */

static bool is_loopback(const char *host, size_t length)
{
	return (length == strlen("localhost") && memcmp(host, "localhost", length) == 0) ||
	       (length > 4 && memcmp(host, "127.", 4) == 0 &&
	        strspn(host, "0123456789.") >= length) ||
	       (length == strlen("[::1]") && memcmp(host, "[::1]", length) == 0);
}

static bool is_plain(const char *text, size_t length, const char *also)
{
	for (size_t i = 0; i < length; i++) {
		if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= 'A' && text[i] <= 'Z') &&
		    !(text[i] >= '0' && text[i] <= '9') && !strchr(also, text[i]))
			return false;
	}
	return length > 0;
}

/* The length of `host`, `host:port`, `[v6]` or `[v6]:port` without the port. */
static size_t host_length(const char *authority, size_t length)
{
	const char *colon;

	if (authority[0] == '[') {
		const char *end = memchr(authority, ']', length);

		return end ? (size_t)(end + 1 - authority) : length;
	}
	colon = memchr(authority, ':', length);
	return colon ? (size_t)(colon - authority) : length;
}

static bool is_port(const char *text, size_t length)
{
	return length == 0 || (text[0] == ':' && length > 1 && length <= 6 &&
	                       strspn(text + 1, "0123456789") >= length - 1);
}

static int set_url(struct config *config, const char *url, struct config_complaint *complaint)
{
	const char *authority = strstr(url, "://") + 3;
	size_t authority_length = strcspn(authority, "/?#");
	size_t host = host_length(authority, authority_length);
	size_t length = strlen(url);
	bool is_clear = strncmp(url, "http://", 7) == 0;

	/* What stands before an @ may be a password, so this one is not quoted. */
	if (memchr(authority, '@', authority_length))
		return config_complain(complaint, "the source has a user name in it; give "
		                                  "https://host[:port][/prefix], and the token "
		                                  "by token_file=PATH");
	if (!is_clear && strncmp(url, "https://", 8) != 0)
		return config_complain(complaint, "source %s: give a URL that begins with https://",
		                       url);
	if (!is_plain(authority, host, ".-_[:]") ||
	    !is_port(authority + host, authority_length - host))
		return config_complain(
		        complaint,
		        "source %s: no host name in the URL; give https://host[:port][/prefix]",
		        url);
	if (!is_plain(url, length, ":/.-_~%[]"))
		return config_complain(
		        complaint, "source %s: give https://host[:port][/prefix] and nothing more",
		        url);
	if (is_clear && !is_loopback(authority, host))
		return config_complain(
		        complaint, "source %s: http:// would send the token in clear; use https://",
		        url);

	while (url[length - 1] == '/')
		length--;
	free(config->base_url);
	free(config->host);
	config->base_url = strndup(url, length);
	config->host = strndup(authority, authority_length);
	return config->base_url && config->host ? 0 : -ENOMEM;
}

int config_set_source(struct config *config, const char *source, struct config_complaint *complaint)
{
	const char *domain = strpbrk(source, ".:") ? "" : ".kapturecrm.com";
	char *url;
	int r;

	if (strstr(source, "://"))
		return set_url(config, source, complaint);
	if (!is_plain(source, strlen(source), ".-_[:]"))
		return config_complain(complaint,
		                       "source \"%s\": give a sub domain (acme), a host or a URL",
		                       source);

	if (asprintf(&url, "https://%s%s", source, domain) < 0)
		return -ENOMEM;
	r = set_url(config, url, complaint);
	free(url);
	return r;
}

int config_complete(struct config *config, struct config_complaint *complaint)
{
	const char *base = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	int length;

	if (config->cache)
		return 0;
	if (geteuid() == 0)
		length = asprintf(&config->cache, "/var/cache/kapturefs/%s.db", config->host);
	else if (base && base[0] == '/')
		length = asprintf(&config->cache, "%s/kapturefs/%s.db", base, config->host);
	else if (home && home[0] == '/')
		length = asprintf(&config->cache, "%s/.cache/kapturefs/%s.db", home, config->host);
	else
		return config_complain(complaint, "HOME is not set; give cache=PATH");

	if (length < 0) {
		config->cache = NULL;
		return -ENOMEM;
	}
	return 0;
}
