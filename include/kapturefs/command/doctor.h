#pragma once
/* SPDX-License-Identifier: MIT */
/* What the parts of the doctor share: the patient, and a row for each thing found. */

#include <stdbool.h>

#include "kapturefs/base/base.h"
#include "kapturefs/config/load.h"
#include "kapturefs/config/secrets.h"

enum doctor_verdict {
	DOCTOR_WELL,
	DOCTOR_NOTE,    /* it works, and could be better */
	DOCTOR_FAILED,  /* it would keep a mount from working */
	DOCTOR_SKIPPED, /* it could not be looked at */
};

enum { DOCTOR_ROWS = 48, DOCTOR_TEXT_SIZE = 1200 };

struct doctor_row {
	const char *name; /* static */
	enum doctor_verdict verdict;
	char text[DOCTOR_TEXT_SIZE];
	const char *fix; /* static, or NULL: the text says it, or there is nothing to do */
};

struct doctor {
	struct config_request request;
	struct config config;
	struct config_secrets secrets;
	bool has_config;
	bool has_source;
	bool has_token;
	struct doctor_row rows[DOCTOR_ROWS];
	size_t row_count;
};

void doctor_say(struct doctor *doctor, const char *name, enum doctor_verdict verdict,
                const char *fix, const char *format, ...) printf_like(5, 6);

/*
 * The checks; each adds one row or more. They change nothing, and need no privilege.
 */
void doctor_check_config(struct doctor *doctor);
void doctor_check_fuse(struct doctor *doctor);
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_confinement(struct doctor *doctor);
void doctor_check_process(struct doctor *doctor);
void doctor_check_token(struct doctor *doctor);
void doctor_check_cache(struct doctor *doctor);
void doctor_check_log(struct doctor *doctor);

/** Name, connection, TLS, and one request. */
void doctor_check_network(struct doctor *doctor);
