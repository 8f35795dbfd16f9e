/* SPDX-License-Identifier: MIT */
/*
 * The one table. Setting an option on the command line or in the configuration file, its
 * range, its default and its line in --help all come from here; the man pages are checked
 * against it.
 */

#include <stdio.h>
#include <string.h>

#include "kapturefs/base/columns.h"
#include "kapturefs/base/log.h"
#include "kapturefs/base/spelling.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/table.h"

/*
 * The ends of rows: a number's default and range; a default that is shown as text; neither. LIVE
 * ones may change in a running mount.
 */
#define RANGE(initial, least, most)      initial, least, most, NULL, false
#define LIVE_RANGE(initial, least, most) initial, least, most, NULL, true
#define SHOWN(text)                      0, 0, 0, text, false
#define UNSET                            0, 0, 0, NULL, false
#define LIVE_UNSET                       0, 0, 0, NULL, true
#define IGNORED(name)                                                                              \
	{                                                                                          \
		name, OPTION_IGNORED, 0, NULL, NULL, UNSET                                         \
	}
#define AT(member)  offsetof(struct config, member)
#define SECONDS_MAX (UINT64_C(10000) * 86400)
#define MEGABYTE    (UINT64_C(1) << 20)
#define GIGABYTE    (UINT64_C(1) << 30)

const struct config_option config_options[] = {
	{ "token_file", OPTION_PATH, AT(token_file), "PATH",
	  "file with the API token, readable by its owner only", LIVE_UNSET },
	{ "header_file", OPTION_PATH, AT(header_file), "PATH",
	  "extra request headers, one a line, same permission rule", UNSET },
	{ "body_file", OPTION_PATH, AT(body_file), "PATH",
	  "a JSON object whose members go into every request", UNSET },
	{ "config", OPTION_PATH, AT(config_file), "PATH",
	  "configuration file, a section per SOURCE; see kapturefs.conf(5)",
	  SHOWN("the user's, or /etc/kapturefs.conf") },
	{ "cache", OPTION_PATH, AT(cache), "PATH",
	  "SQLite file of the cache; :memory: keeps nothing on disk", SHOWN("by host") },
	{ "cache_size", OPTION_SIZE, AT(cache_size), "SIZE",
	  "least recently used customers are evicted beyond it",
	  RANGE(GIGABYTE, MEGABYTE, 100 * GIGABYTE) }, /* see database_wipe.c */
	{ "retain", OPTION_DAYS, AT(retain), "DAYS",
	  "how long a customer that nobody asks for stays in the cache", RANGE(30, 1, 10000) },
	{ "memory", OPTION_SIZE, AT(memory), "SIZE", "customers kept parsed in memory",
	  RANGE(64 * MEGABYTE, 0, 1024 * GIGABYTE) },
	{ "ttl", OPTION_SECONDS, AT(ttl), "SECONDS", "how long an answer counts as fresh",
	  LIVE_RANGE(300, 0, SECONDS_MAX) },
	{ "negative_ttl", OPTION_SECONDS, AT(negative_ttl), "SECONDS",
	  "how long \"does not exist\" counts", LIVE_RANGE(60, 0, SECONDS_MAX) },
	{ "max_stale", OPTION_SECONDS, AT(max_stale), "SECONDS",
	  "how long past its ttl an answer may stand in for a new one",
	  LIVE_RANGE(86400, 0, SECONDS_MAX) },
	{ "timeout", OPTION_SECONDS, AT(timeout), "SECONDS",
	  "the most that one lookup may wait, retries included", LIVE_RANGE(30, 1, SECONDS_MAX) },
	{ "patience", OPTION_SECONDS, AT(patience), "SECONDS",
	  "the most that a lookup waits when an old answer can be served",
	  LIVE_RANGE(2, 0, SECONDS_MAX) },
	{ "connect_timeout", OPTION_SECONDS, AT(connect_timeout), "SECONDS",
	  "the most that connecting may take", RANGE(5, 1, SECONDS_MAX) },
	{ "retries", OPTION_NUMBER, AT(retries), "N",
	  "tries after one that failed in a way that may pass", LIVE_RANGE(3, 0, 10) },
	{ "max_connections", OPTION_NUMBER, AT(max_connections), "N", "concurrent API requests",
	  RANGE(8, 1, 256) },
	{ "rate", OPTION_RATE, AT(rate), "N/s", "API requests a second, whatever their cause",
	  LIVE_RANGE(10000, 1, 10000000) },
	{ "burst", OPTION_NUMBER, AT(burst), "N",
	  "API requests that may go out at once after a quiet time", LIVE_RANGE(20, 1, 100000) },
	{ "account_id", OPTION_NUMBER, AT(account_id), "N",
	  "the tenant's account number (cmId), for by-date; 0: as the first answer tells",
	  RANGE(0, 0, INT64_MAX) },
	{ "phone_country", OPTION_COUNTRY, AT(phone_country), "CC",
	  "country code that national phone numbers lack, such as 91", 0, 1, 999, "none", false },
	{ "proxy", OPTION_PROXY, AT(proxy), "URL", "an HTTP proxy; the environment's is ignored",
	  SHOWN("none") },
	{ "log_file", OPTION_PATH, AT(log_file), "PATH",
	  "append the log to this file, besides syslog or the journal", SHOWN("none") },
	{ "log_level", OPTION_LEVEL, AT(log_level), "LEVEL",
	  "the least that is logged: error, warning, info or debug",
	  LIVE_RANGE(LOG_LEVEL_NOTICE, LOG_LEVEL_ERROR, LOG_LEVEL_DEBUG) },
	{ "cafile", OPTION_PATH, AT(cafile), "PATH", "certificate authorities", SHOWN("system") },
	{ "absent_text", OPTION_SENTENCE, AT(absent_text), "TEXT",
	  "one more sentence by which the API says that there is no such customer", SHOWN("none") },
	{ "offline", OPTION_FLAG, AT(offline), "",
	  "never ask the API; serve what is cached, however old", LIVE_UNSET },
	{ "strict", OPTION_FLAG, AT(strict), "",
	  "mount only if the API can be reached and accepts the token", UNSET },
	{ "xattr", OPTION_FLAG, AT(xattr), "", "show extended attributes (user.kapture.*)", UNSET },
	{ "uid", OPTION_NUMBER, AT(uid), "N", "owner shown", 0, 0, UINT32_MAX - 1, "mounting user",
	  false },
	{ "gid", OPTION_NUMBER, AT(gid), "N", "group shown", 0, 0, UINT32_MAX - 1, "its group",
	  false },
	{ "umask", OPTION_OCTAL, AT(umask), "MODE", "permissions taken away",
	  RANGE(0277, 0, 0777) },
	{ "busy_poll", OPTION_NUMBER, AT(busy_poll), "MICROSECONDS",
	  "how long to look for the next request before sleeping", RANGE(50, 0, 1000) },
	{ "allow_other", OPTION_FUSE, AT(allow_other), "",
	  "let other users in, as far as owner and mode shown allow", UNSET },
	{ "allow_root", OPTION_FUSE, AT(allow_root), "", "let root in", UNSET },
	{ "auto_unmount", OPTION_FUSE, AT(auto_unmount), "", "unmount when the daemon dies",
	  UNSET },

	{ "token", OPTION_REFUSED, 0, NULL,
	  "put the token into a file that only you can read and give token_file=PATH", UNSET },
	/* Always on where the mount is ours to make; what another has made must say so. */
	{ "default_permissions", OPTION_FLAG, AT(default_permissions), NULL, NULL, UNSET },
	IGNORED("rw"),
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
};

const size_t config_option_count = array_length(config_options);

const struct config_option *config_option_find(const char *name)
{
	for (size_t i = 0; i < config_option_count; i++) {
		if (strcmp(name, config_options[i].name) == 0)
			return &config_options[i];
	}
	return NULL;
}

bool config_option_is_secret(const char *name)
{
	return strcmp(name, "token_file") == 0 || strcmp(name, "header_file") == 0 ||
	       strcmp(name, "body_file") == 0;
}

const char *config_option_near(const char *name)
{
	struct spelling spelling = { .word = name };

	for (size_t i = 0; i < config_option_count; i++) {
		if (config_options[i].argument)
			spelling_try(&spelling, config_options[i].name);
	}
	return spelling.nearest;
}

enum number_kind option_number_kind(const struct config_option *option)
{
	switch ((int)option->type) {
	case OPTION_SIZE:
		return NUMBER_SIZE;
	case OPTION_SECONDS:
		return NUMBER_SECONDS;
	case OPTION_DAYS:
		return NUMBER_DAYS;
	case OPTION_OCTAL:
		return NUMBER_OCTAL;
	case OPTION_RATE:
		return NUMBER_RATE;
	case OPTION_COUNTRY:
		return NUMBER_COUNTRY;
	case OPTION_LEVEL:
		return NUMBER_LEVEL;
	default:
		return NUMBER_PLAIN;
	}
}

/* Help */

static const char *initial_text(const struct config_option *option, char number[NUMBER_TEXT_SIZE])
{
	if (option->initial_text)
		return option->initial_text;
	if (option_is_flag(option))
		return "off";
	if (option_is_number(option))
		return number_print(option_number_kind(option), option->initial, number);
	return NULL;
}

/* Without a mount there is nothing that they could be about. */
static bool is_for_mount(const struct config_option *option)
{
	static const char *const names[] = { "log_file", "log_level", "strict", "xattr",
		                             "uid",      "gid",       "umask",  "busy_poll" };

	for (size_t i = 0; i < array_length(names); i++) {
		if (strcmp(option->name, names[i]) == 0)
			return true;
	}
	return option->type == OPTION_FUSE;
}

static void print_option(FILE *stream, const struct config_option *option)
{
	char number[NUMBER_TEXT_SIZE];
	const char *initial = initial_text(option, number);
	char head[64];
	char text[256];

	snprintf(head, sizeof(head), "  %s%s%s", option->name, *option->argument ? "=" : "",
	         option->argument);
	snprintf(text, sizeof(text), "%s%s%s%s", option->help, initial ? " (default: " : "",
	         initial ? initial : "", initial ? ")" : "");
	columns_print(stream, head, CONFIG_HELP_INDENT, text);
}

void config_print_options(FILE *stream, bool has_mount)
{
	for (size_t i = 0; i < config_option_count; i++) {
		if (config_options[i].argument && (has_mount || !is_for_mount(&config_options[i])))
			print_option(stream, &config_options[i]);
	}
}
