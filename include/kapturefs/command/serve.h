#pragma once
/* SPDX-License-Identifier: MIT */
/* A mount from beginning to end: built in the order of the layers, run, taken down. */

#include <stdbool.h>

#include "kapturefs/config/config.h"
#include "kapturefs/config/load.h"
#include "kapturefs/config/secrets.h"

struct serve_settings {
	struct config *config;                /* complete; changes when it is read again */
	const struct config_request *request; /* where it came from, to read it again, or NULL */
	const struct config_secrets *secrets;
	const char *mountpoint;        /* absolute */
	bool debug;                    /* log everything, whatever log_level says */
	bool foreground;               /* else return to the shell when the mount is usable */
	void (*ready)(void *userdata); /* called when the mount is usable, or NULL */
	void *userdata;
};

/** Let the process have as many open files as it may, and what it makes be for its user alone. */
void serve_harden(void);

/**
 * Mount and serve until unmounted or told to end by SIGTERM or SIGINT. Returns the exit status,
 * its reason told on standard error.
 */
int serve(const struct serve_settings *settings);
