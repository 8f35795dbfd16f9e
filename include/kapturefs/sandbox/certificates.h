#pragma once
/* SPDX-License-Identifier: MIT */
/* Certificates for loopback, made on the spot: a good one, and those that no client may take. */

#include "kapturefs/base/base.h"

enum certificate {
	CERTIFICATE_GOOD, /* for localhost and 127.0.0.1, of an authority of its own */
	CERTIFICATE_SELF_SIGNED,
	CERTIFICATE_OTHER_HOST,
	CERTIFICATE_EXPIRED,
	CERTIFICATE_NOT_YET_VALID,
	CERTIFICATES,
};

/** PEM, NUL-terminated. */
struct certificates {
	char *authority;
	char *key; /* of all but the authority */
	char *of[CERTIFICATES];
};

/** Make all. Returns 0 with *@ret to be ended by certificates_fini(), -ENOMEM, -EIO. */
int certificates_make(struct certificates *ret) must_check;

/** Zero-initialized is fine, too. */
void certificates_fini(struct certificates *certificates);
