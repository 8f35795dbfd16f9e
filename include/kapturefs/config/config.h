#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What the user wants, as one plain value.
 *
 * Every complaint is one line that names the option or file and the fix.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum { CONFIG_COMPLAINT_SIZE = 1024 };

/** Why something was refused, for the user. */
struct config_complaint {
	const char *option; /* the option whose file is meant, else NULL */
	char text[CONFIG_COMPLAINT_SIZE];
};

/** Write the complaint; returns -EINVAL, for the caller to return. */
int config_complain(struct config_complaint *complaint, const char *format, ...) printf_like(2, 3);

/**
 * Strings are owned; those of options are NULL until given. Seconds are whole seconds,
 * sizes are bytes.
 */
struct config {
	char *base_url;    /* `https://host[:port][/prefix]` */
	char *host;        /* the host of it with the port, for file names */
	char *config_file; /* where the configuration came from, or NULL */
	char *token_file;
	char *header_file;
	char *body_file;
	char *cache;
	char *cafile;
	char *log_file;
	char *proxy;
	char *absent_text;
	char *fuse_options; /* for libfuse, `a,b`, or NULL; made by config_complete() */
	uint64_t ttl;       /* seconds */
	uint64_t negative_ttl;
	uint64_t max_stale;
	uint64_t timeout;
	uint64_t patience;
	uint64_t connect_timeout;
	uint64_t retries;
	uint64_t max_connections;
	uint64_t rate;          /* thousandths of a request a second */
	uint64_t burst;         /* requests */
	uint64_t cache_size;    /* bytes */
	uint64_t memory;        /* bytes */
	uint64_t retain;        /* days */
	uint64_t account_id;    /* the tenant's cmId, 0 for unknown */
	uint64_t busy_poll;     /* microseconds */
	uint64_t phone_country; /* the code that national numbers lack, 0 for none */
	uint64_t log_level;     /* an enum log_level */
	uint64_t uid;
	uint64_t gid;
	uint64_t umask;
	bool cache_is_given; /* else it is where it is by default; made by config_complete() */
	bool offline;
	bool strict;
	bool xattr;
	bool allow_other;
	bool allow_root;
	bool auto_unmount;
	bool default_permissions; /* said to whoever has made a mount that is handed over */
};

/** The defaults for whoever runs this, by the table of options. */
void config_init(struct config *config);
void config_fini(struct config *config);
