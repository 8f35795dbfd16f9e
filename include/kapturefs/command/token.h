#pragma once
/* SPDX-License-Identifier: MIT */
/* The token's file, looked at again when the token was refused, or when somebody says so. */

#include <stdbool.h>
#include <sys/stat.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"
#include "kapturefs/store/kapture.h"

struct token_watch {
	const struct config *config;
	struct kapture *kapture;
	char *path; /* NULL if the token came from nowhere that could be looked at */
	struct stat seen;
	int error; /* of looking last: 0 or a negative errno */
};

/**
 * Watch the file from which @config has the token for @kapture, and give it the token that is
 * there now; both outlive the watch. Without such a file there is nothing to watch. Returns 0
 * or -ENOMEM.
 */
int token_watch_init(struct token_watch *watch, const struct config *config,
                     struct kapture *kapture) must_check;
void token_watch_fini(struct token_watch *watch);

/**
 * If the file has changed since it was seen last, take the token in it. One that cannot be
 * taken is logged once, and the old token kept.
 */
void token_watch_look(struct token_watch *watch);

/**
 * Take the token in the file that the configuration names now, changed or not; otherwise as
 * token_watch_look(). Returns 0 or -ENOMEM.
 */
int token_watch_reload(struct token_watch *watch) must_check;
