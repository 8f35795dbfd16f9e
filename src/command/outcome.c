/* SPDX-License-Identifier: MIT */

#include <errno.h>

#include "kapturefs/command/outcome.h"

int outcome_of(int error)
{
	switch (error) {
	case 0:
		return EXIT_OK;
	case -ENOENT:
	case -EISDIR: /* it names nobody */
		return EXIT_NO;
	case -EHOSTUNREACH:
	case -ETIMEDOUT:
	case -EIO:
	case -EPROTO:
	case -EFBIG:
	case -EINVAL:
	case -EBUSY:
	case -ENETDOWN:
		return EXIT_API;
	case -EACCES:
		return EXIT_TOKEN;
	default:
		return EXIT_LOCAL;
	}
}

int outcome_worse(int one, int other)
{
	return one > other ? one : other;
}
