#pragma once
/* SPDX-License-Identifier: MIT */
/* A part of http: the file of certificate authorities, which somebody may change at any time. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "kapturefs/base/base.h"

struct http_authorities {
	const char *path; /* borrowed; NULL: the system's, which are not looked at */
	struct stat seen;
	uint64_t changed_ms; /* when that was seen */
};

void http_authorities_init(struct http_authorities *authorities, const char *path, uint64_t now_ms);

/** Whether the file is another one than at the last look. One that cannot be seen is the same. */
bool http_authorities_look(struct http_authorities *authorities, uint64_t now_ms) must_check;

/** Take it for another one. */
void http_authorities_renew(struct http_authorities *authorities, uint64_t now_ms);

/** For how many seconds it has surely been the same: what was read of it is good for so long. */
long http_authorities_age_s(const struct http_authorities *authorities, uint64_t now_ms);
