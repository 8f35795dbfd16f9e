#pragma once
/* SPDX-License-Identifier: MIT */
/* Reading secrets from files that a test has made. Include cmocka.h and its headers first. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/config/secrets.h"
#include "scratch.h"

/* Read with a good token unless @config names one. */
static inline int read_secrets(struct scratch *scratch, const struct config *config,
                               struct config_secrets *ret, struct config_complaint *complaint)
{
	char token[PATH_MAX];
	struct config complete = *config;

	if (!config->token_file) {
		strcpy(token, scratch_write(scratch, "good-token", 0600, "good\n"));
		complete.token_file = token;
	}
	return config_read_secrets(&complete, ret, complaint);
}

/*
 * The complaint about a file says which option, which file and @why, and nothing of what is
 * in it.
 */
static inline void assert_refused(struct scratch *scratch, const struct config *config,
                                  const char *option, const char *path, const char *why)
{
	struct config_secrets secrets = { 0 };
	struct config_complaint complaint = { .text = "" };
	char expected[PATH_MAX + 256];

	snprintf(expected, sizeof(expected), "%s=%s: %s", option, path, why);
	assert_int_equal(read_secrets(scratch, config, &secrets, &complaint), -EINVAL);
	assert_string_equal(complaint.text, expected);
	assert_string_equal(complaint.option, option);
	assert_null(secrets.token);
	assert_null(secrets.headers);
	assert_null(secrets.request_members);
}
