#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What the user wants: the mount's options, by one table, and the secrets in files.
 *
 * Every complaint is one line that names the option or file and the mend.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "kapturefs/base/base.h"

enum { CONFIG_COMPLAINT_SIZE = 512 };

/** Why something was refused, for the user. */
struct config_complaint {
	char text[CONFIG_COMPLAINT_SIZE];
};

/** Write the complaint; returns -EINVAL, for the caller to return. */
int config_complain(struct config_complaint *complaint, const char *format, ...) printf_like(2, 3);

/** Strings are owned. */
struct config {
	char *base_url; /* `https://host[:port][/prefix]` */
	char *host;     /* the host of it, for file names */
	char *token_file;
	char *header_file;
	char *body_file;
	char *cache;
	char *cafile;
	char *proxy;
	char *fuse_options; /* for libfuse, `a,b=c`, or NULL */
	uint64_t ttl;       /* seconds, like the others */
	uint64_t negative_ttl;
	uint64_t max_stale;
	uint64_t timeout;
	uint64_t patience;
	uint64_t connect_timeout;
	uint64_t retries;
	uint64_t max_connections;
	uint64_t rate;      /* thousandths of a request a second */
	uint64_t burst;     /* requests */
	uint64_t memory;    /* bytes */
	uint64_t busy_poll; /* microseconds */
	uint64_t uid;
	uint64_t gid;
	uint64_t umask;
	bool offline;
};

/** The defaults for whoever runs this. */
void config_init(struct config *config);
void config_fini(struct config *config);

/**
 * Take @source: a sub domain, a host or a base URL. Returns 0, -EINVAL with *@complaint, -ENOMEM.
 */
int config_set_source(struct config *config, const char *source,
                      struct config_complaint *complaint) must_check;

/** Take a comma-separated list of options, as after `-o`. Returns as config_set_source(). */
int config_set_options(struct config *config, const char *options,
                       struct config_complaint *complaint) must_check;

/** Fill in what depends on other options: the path of the cache. Returns as config_set_source(). */
int config_complete(struct config *config, struct config_complaint *complaint) must_check;

/** Write the options with defaults and meanings, for --help. */
void config_print_options(FILE *stream);

/** What the files named in the configuration hold; wiped by config_secrets_fini(). */
struct config_secrets {
	char *token;
	char **headers;        /* NULL at the end */
	char *request_members; /* the inside of body_file's object, or NULL */
};

/**
 * Read token, header and body files. Each must be a regular file, owned by the user or root, and
 * accessible by its owner only. Returns as config_set_source().
 */
int config_read_secrets(const struct config *config, struct config_secrets *ret,
                        struct config_complaint *complaint) must_check;
void config_secrets_fini(struct config_secrets *secrets);
