#pragma once
/* SPDX-License-Identifier: MIT */
/* The one table of options, and questions to a row of it. Setting by name is in options.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"
#include "kapturefs/config/number.h"

enum config_option_type {
	OPTION_PATH, /* a string that names a file */
	OPTION_TEXT,
	OPTION_PROXY,
	OPTION_SENTENCE, /* text with so many letters that it cannot be met by chance */
	OPTION_NUMBER,
	OPTION_SIZE,
	OPTION_SECONDS,
	OPTION_DAYS,
	OPTION_OCTAL,
	OPTION_RATE,
	OPTION_COUNTRY,
	OPTION_LEVEL,
	OPTION_FLAG,
	OPTION_FUSE,    /* a flag, handed on to libfuse */
	OPTION_IGNORED, /* words of fstab that concern mount(8), or are true anyway */
	OPTION_REFUSED, /* the help says why */
};

struct config_option {
	const char *name;
	enum config_option_type type;
	size_t offset;        /* in struct config: a char *, uint64_t or bool by the type */
	const char *argument; /* for --help, NULL to leave the option out */
	const char *help;     /* what it means */
	uint64_t initial;     /* for numbers, like what follows */
	uint64_t minimum;
	uint64_t maximum;
	const char *initial_text; /* for --help, where it is not the number above */
	bool is_live;             /* may change in a running mount */
};

extern const struct config_option config_options[];
extern const size_t config_option_count;

/** The option of that name, or NULL. */
const struct config_option *config_option_find(const char *name);

/** Whether the option of that name is a file of secrets. */
bool config_option_is_secret(const char *name);

/** The name that is nearest to @name, of those that --help lists; NULL if none is near. */
const char *config_option_near(const char *name);

static inline bool option_is_text(const struct config_option *option)
{
	return option->type == OPTION_PATH || option->type == OPTION_TEXT ||
	       option->type == OPTION_PROXY || option->type == OPTION_SENTENCE;
}

static inline bool option_is_flag(const struct config_option *option)
{
	return option->type == OPTION_FLAG || option->type == OPTION_FUSE;
}

static inline bool option_is_number(const struct config_option *option)
{
	return option->type == OPTION_NUMBER || option->type == OPTION_SIZE ||
	       option->type == OPTION_SECONDS || option->type == OPTION_DAYS ||
	       option->type == OPTION_OCTAL || option->type == OPTION_RATE ||
	       option->type == OPTION_COUNTRY || option->type == OPTION_LEVEL;
}

/** The kind of an option's number, where it has one. */
enum number_kind option_number_kind(const struct config_option *option);
