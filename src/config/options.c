/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/text.h"
#include "kapturefs/config/detour.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/table.h"
#include "kapturefs/model/absence.h"

int config_complain(struct config_complaint *complaint, const char *format, ...)
{
	va_list arguments;

	complaint->option = NULL;
	va_start(arguments, format);
	vsnprintf(complaint->text, sizeof(complaint->text), format, arguments);
	va_end(arguments);
	/* What is quoted from the user may hold anything, and a complaint is one line. */
	text_make_line(complaint->text);
	return -EINVAL;
}

/* Where an option is kept */

static char **text_of(struct config *config, const struct config_option *option)
{
	return (char **)(void *)((char *)config + option->offset);
}

static uint64_t *number_of(struct config *config, const struct config_option *option)
{
	return (uint64_t *)(void *)((char *)config + option->offset);
}

static bool *flag_of(struct config *config, const struct config_option *option)
{
	return (bool *)((char *)config + option->offset);
}

void config_init(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < config_option_count; i++) {
		if (option_is_number(&config_options[i]))
			*number_of(config, &config_options[i]) = config_options[i].initial;
	}
	config->uid = getuid();
	config->gid = getgid();
}

void config_fini(struct config *config)
{
	free(config->base_url);
	free(config->host);
	free(config->fuse_options);
	for (size_t i = 0; i < config_option_count; i++) {
		if (option_is_text(&config_options[i]))
			free(*text_of(config, &config_options[i]));
	}
	*config = (struct config){ 0 };
}

/* Setting */

static void free_text(char **text)
{
	free(*text);
}

static int set_text(char **place, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

/* `~/` is what a shell makes of it; who has no HOME has an entry in the list of users. */
static const char *find_home(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (home && home[0] == '/')
		return home;
	user = getpwuid(getuid());
	return user && user->pw_dir[0] == '/' ? user->pw_dir : NULL;
}

/*
 * The daemon works in /, so every path is made absolute while it is known from where it is
 * meant.
 */
static int set_path(char **place, const struct config_option *option, const char *value,
                    const char *directory, struct config_complaint *complaint)
{
	cleanup(free_text) char *current = NULL;
	char *path;

	if (value[0] == '/' || strcmp(value, ":memory:") == 0)
		return set_text(place, value);

	if (value[0] == '~' && (value[1] == '/' || !value[1])) {
		directory = find_home();
		value += value[1] ? 2 : 1;
		if (!directory)
			return config_complain(complaint,
			                       "option %s=~/%s: HOME is not set; give a path that "
			                       "begins with /",
			                       option->name, value);
	} else if (!directory) {
		directory = current = getcwd(NULL, 0);
		if (!directory)
			return -errno;
	}
	if (asprintf(&path, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, value) < 0)
		return -ENOMEM;

	free(*place);
	*place = path;
	return 0;
}

static int set_sentence(char **place, const struct config_option *option, const char *value,
                        struct config_complaint *complaint)
{
	int r = absence_is_long_enough(value);

	if (r < 0)
		return r;
	if (!r)
		return config_complain(complaint,
		                       "option %s=%s: give a sentence of %d letters or more",
		                       option->name, value, ABSENCE_LETTERS_MIN);
	return set_text(place, value);
}

/* Without a scheme it is http. What stands there may be a password, so it is not repeated. */
static int set_proxy(char **place, const struct config_option *option, const char *value,
                     struct config_complaint *complaint)
{
	const char *scheme_end = strstr(value, "://");
	size_t length = scheme_end ? (size_t)(scheme_end - value) : 0;

	if (scheme_end &&
	    (!scheme_end[3] || !((length == 4 && strncasecmp(value, "http", 4) == 0) ||
	                         (length == 5 && strncasecmp(value, "https", 5) == 0))))
		return config_complain(complaint, "option %s: give http://HOST:PORT", option->name);
	return set_text(place, value);
}

static const char *number_name(const struct config_option *option)
{
	static const char *const names[] = {
		[NUMBER_PLAIN] = "a number",         [NUMBER_SIZE] = "a size",
		[NUMBER_SECONDS] = "a number",       [NUMBER_DAYS] = "a number",
		[NUMBER_OCTAL] = "an octal number",  [NUMBER_RATE] = "requests a second",
		[NUMBER_COUNTRY] = "a country code",
	};

	return names[option_number_kind(option)];
}

/* What may stand behind the digits, for who has put something else there. */
static const char *unit_hint(enum number_kind kind, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	uint64_t number;

	if (!digits || !value[digits] || number_parse(kind, value, &number))
		return "";
	switch ((int)kind) {
	case NUMBER_SIZE:
		return ", as bytes or with K, M, G or T behind it";
	case NUMBER_SECONDS:
		return ", as seconds or with s, m, h or d behind it";
	case NUMBER_DAYS:
		return ", as days or with d behind it";
	default:
		return "";
	}
}

/* A few words are told one by one, a range by its ends. */
static int complain_of_number(const struct config_option *option, const char *value,
                              struct config_complaint *complaint)
{
	enum number_kind kind = option_number_kind(option);
	char minimum[NUMBER_TEXT_SIZE];
	char maximum[NUMBER_TEXT_SIZE];

	if (kind == NUMBER_LEVEL)
		return config_complain(complaint,
		                       "option %s=%s: give error, warning, info or debug",
		                       option->name, value);
	return config_complain(complaint, "option %s=%s: give %s from %s to %s%s", option->name,
	                       value, number_name(option),
	                       number_print(kind, option->minimum, minimum),
	                       number_print(kind, option->maximum, maximum),
	                       unit_hint(kind, value));
}

static int set_number(uint64_t *place, const struct config_option *option, const char *value,
                      struct config_complaint *complaint)
{
	uint64_t number;

	if (!number_parse(option_number_kind(option), value, &number) || number < option->minimum ||
	    number > option->maximum)
		return complain_of_number(option, value, complaint);
	*place = number;
	return 0;
}

static bool is_one_of(const char *value, const char *const words[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(value, words[i]) == 0)
			return true;
	}
	return false;
}

static int set_flag(bool *place, const struct config_option *option, const char *value,
                    struct config_complaint *complaint)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	if (!value || is_one_of(value, yes, array_length(yes)))
		*place = true;
	else if (is_one_of(value, no, array_length(no)))
		*place = false;
	else
		return config_complain(complaint, "option %s=%s: give yes or no", option->name,
		                       value);
	return 0;
}

static int set_option(struct config *config, const struct config_option *option, const char *value,
                      const char *directory, struct config_complaint *complaint)
{
	if (option->type == OPTION_REFUSED)
		return config_complain(complaint, "option %s is refused: %s", option->name,
		                       option->help);
	if (option->type == OPTION_IGNORED)
		return !value ? 0
		              : config_complain(complaint,
		                                "option %s is for mount(8), in fstab or on the "
		                                "command line, and takes no value",
		                                option->name);
	if (option_is_flag(option))
		return set_flag(flag_of(config, option), option, value, complaint);
	if (!value || !*value)
		return config_complain(complaint, "option %s needs a value: %s=%s", option->name,
		                       option->name, option->argument);
	if (option_is_number(option))
		return set_number(number_of(config, option), option, value, complaint);
	if (option->type == OPTION_PATH)
		return set_path(text_of(config, option), option, value, directory, complaint);
	if (option->type == OPTION_PROXY)
		return set_proxy(text_of(config, option), option, value, complaint);
	if (option->type == OPTION_SENTENCE)
		return set_sentence(text_of(config, option), option, value, complaint);
	return set_text(text_of(config, option), value);
}

int config_set_option(struct config *config, const char *name, const char *value,
                      const char *directory, struct config_complaint *complaint)
{
	const struct config_option *option = config_option_find(name);
	const char *near;

	if (option)
		return set_option(config, option, value, directory, complaint);
	near = config_option_near(name);
	if (near)
		return config_complain(complaint, "unknown option %s; did you mean %s?", name,
		                       near);
	return config_complain(complaint, "unknown option %s; kapturefs --help lists them", name);
}

/* Of fstab, and for programs other than mount(8). */
static bool is_remark(const char *word)
{
	return strncmp(word, "x-", 2) == 0 || strncmp(word, "comment=", 8) == 0;
}

static int take_word(struct config *config, char *word, const char *directory,
                     struct config_complaint *complaint)
{
	char *value = strchr(word, '=');

	if (!*word || is_remark(word))
		return 0;
	if (value)
		*value++ = '\0';
	return config_set_option(config, word, value, directory, complaint);
}

int config_set_options(struct config *config, const char *text, const char *directory,
                       struct config_complaint *complaint)
{
	char *copy = strdup(text);
	char *rest = copy;
	char *word;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	while (!r && (word = strsep(&rest, ",")))
		r = take_word(config, word, directory, complaint);
	free(copy);
	return r;
}

bool config_has_fstab_word(const char *options)
{
	const struct config_option *option;
	bool is_found = false;
	char word[64];

	for (; *options && !is_found; options += *options == ',') {
		size_t length = strcspn(options, ",");

		snprintf(word, sizeof(word), "%.*s", (int)length, options);
		option = config_option_find(word);
		is_found = is_remark(word) || (option && option->type == OPTION_IGNORED);
		options += length;
	}
	return is_found;
}

static int avoid(char **place, const char *name, const char *mountpoint,
                 struct config_complaint *complaint)
{
	char *detour;
	int r = detour_find(*place, mountpoint, &detour);

	if (r == DETOUR_BELOW)
		return config_complain(complaint,
		                       "%s=%s: below the mountpoint; give a path outside of it",
		                       name, *place);
	if (r || !detour)
		return r;
	free(*place);
	*place = detour;
	return 0;
}

int config_avoid(struct config *config, const char *mountpoint, struct config_complaint *complaint)
{
	int r = 0;

	for (size_t i = 0; !r && i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];
		char **place = option->type == OPTION_PATH ? text_of(config, option) : NULL;

		if (place && *place && strcmp(*place, ":memory:") != 0)
			r = avoid(place, option->name, mountpoint, complaint);
	}
	return r;
}

int config_join_fuse_options(struct config *config)
{
	char *joined = NULL;

	for (size_t i = 0; i < config_option_count; i++) {
		char *longer;

		if (config_options[i].type != OPTION_FUSE || !*flag_of(config, &config_options[i]))
			continue;
		if (asprintf(&longer, "%s%s%s", joined ? joined : "", joined ? "," : "",
		             config_options[i].name) < 0) {
			free(joined);
			return -ENOMEM;
		}
		free(joined);
		joined = longer;
	}
	free(config->fuse_options);
	config->fuse_options = joined;
	return 0;
}

/* Changing */

static bool is_same(struct config *left, struct config *right, const struct config_option *option)
{
	const char *text = option_is_text(option) ? *text_of(left, option) : NULL;
	const char *other = option_is_text(option) ? *text_of(right, option) : NULL;

	if (option_is_number(option))
		return *number_of(left, option) == *number_of(right, option);
	if (option_is_flag(option))
		return *flag_of(left, option) == *flag_of(right, option);
	return text && other ? strcmp(text, other) == 0 : text == other;
}

static void take(struct config *config, struct config *from, const struct config_option *option)
{
	char *text;

	if (option_is_number(option)) {
		*number_of(config, option) = *number_of(from, option);
	} else if (option_is_flag(option)) {
		*flag_of(config, option) = *flag_of(from, option);
	} else if (option_is_text(option)) {
		text = *text_of(config, option);
		*text_of(config, option) = *text_of(from, option);
		*text_of(from, option) = text;
	}
}

bool config_take_changes(struct config *config, struct config *from,
                         struct config_complaint *complaint)
{
	size_t length = 0;

	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];

		if (!option->argument || is_same(config, from, option))
			continue;
		if (option->is_live) {
			take(config, from, option);
		} else if (length < sizeof(complaint->text)) {
			length += (size_t)snprintf(complaint->text + length,
			                           sizeof(complaint->text) - length, "%s%s",
			                           length ? ", " : "", option->name);
		}
	}
	complaint->option = NULL;
	return length;
}
