#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Defaults, configuration file and command line, joined into one configuration: what is
 * given later in this row wins.
 *
 * Loading depends on nothing but the request, the environment's directories and the file,
 * so that it can be done again.
 */

#include <stdbool.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

/** What the command line says. Strings are owned. */
struct config_request {
	char *source;
	char *options;    /* comma-separated, or NULL */
	char *directory;  /* where relative paths are meant from */
	char *mountpoint; /* from which all paths keep away, without links; or NULL */
};

/** Begin in the working directory. Returns 0, or a negative errno. */
int config_request_init(struct config_request *request) must_check;
void config_request_fini(struct config_request *request);

/** Return 0 or -ENOMEM. Options may be added any number of times; the last one counts. */
int config_request_set_source(struct config_request *request, const char *source) must_check;
int config_request_add_options(struct config_request *request, const char *options) must_check;

/**
 * Load the configuration for the request's source: from the file that it names, else from
 * the first that exists of $XDG_CONFIG_HOME/kapturefs/config (or
 * ~/.config/kapturefs/config) and /etc/kapturefs.conf, else from none.
 *
 * Returns 0 with *@ret, to be ended with config_fini(); -EINVAL with *@complaint; another
 * negative errno.
 */
int config_load(const struct config_request *request, struct config *ret,
                struct config_complaint *complaint) must_check;

/** Whether the file that config_load() would read has a section for the request's source. */
bool config_knows_source(const struct config_request *request);

enum config_load_outcome {
	CONFIG_NEEDS_REMOUNT = 1,
};

/**
 * Load again, and take into @config, which was loaded before, what may change in a running
 * mount. Returns as config_load(), with @config as before on failure; CONFIG_NEEDS_REMOUNT,
 * the rest having been taken, when other options have changed, too: *@complaint names them.
 */
int config_reload(const struct config_request *request, struct config *config,
                  struct config_complaint *complaint) must_check;

/** Where a user's own file would be, NULL for nowhere; to be freed. Returns 0 or -ENOMEM. */
int config_user_file(char **ret) must_check;

/**
 * The file that config_load() would read without `config`. Returns 0 with its path in
 * *@ret, for the caller to free, or NULL when there is none; -ENOMEM.
 */
int config_find_file(char **ret) must_check;

/**
 * Fill in what depends on other options: the path of the cache, libfuse's options. Returns
 * 0, -EINVAL with *@complaint, -ENOMEM.
 */
int config_complete(struct config *config, struct config_complaint *complaint) must_check;
