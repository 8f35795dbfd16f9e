#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What the files named in the configuration hold and nobody else may see.
 *
 * Each must be a regular file, owned by the user or root, and accessible by its owner only.
 * No complaint quotes it.
 */

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

enum { CONFIG_TOKEN_NOTES_SIZE = 96 };

/** Wiped by config_secrets_fini(). */
struct config_secrets {
	char *token;
	char token_notes[CONFIG_TOKEN_NOTES_SIZE]; /* what stood around it, `quotation marks` */
	char **headers;                            /* NULL at the end, or NULL */
	char *request_members;                     /* the inside of body_file's object, or NULL */
};

/**
 * What people paste around a token and around headers, and is certainly no part of them, is passed
 * over: blanks, quotation marks in pairs, `Authorization: Basic`; and a byte order mark.
 *
 * Read the token from token_file, else from the systemd credential `kapture-token`; and the
 * header and body files; and see that those of cafile can be read. Returns 0, -EINVAL with
 * *@complaint, which says which option it is about, -ENOMEM; on failure *@ret is as before.
 */
int config_read_secrets(const struct config *config, struct config_secrets *ret,
                        struct config_complaint *complaint) must_check;

/**
 * Read the files that are named and keep nothing; that there is no token is no mistake
 * here. Returns as config_read_secrets().
 */
int config_check_secrets(const struct config *config,
                         struct config_complaint *complaint) must_check;

void config_secrets_fini(struct config_secrets *secrets);
