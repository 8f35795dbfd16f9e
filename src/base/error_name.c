/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/error_name.h"

#if HAVE_STRERRORNAME_NP

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown";
}

#else

#define named(error_) .error = (error_), .name = #error_

/* What system calls, the libraries and the contract's table of errors come to. */
static const struct {
	int error;
	const char *name;
} names[] = {
	{ named(E2BIG) },           { named(EACCES) },       { named(EADDRINUSE) },
	{ named(EADDRNOTAVAIL) },   { named(EAFNOSUPPORT) }, { named(EAGAIN) },
	{ named(EALREADY) },        { named(EBADF) },        { named(EBADMSG) },
	{ named(EBUSY) },           { named(ECANCELED) },    { named(ECHILD) },
	{ named(ECONNABORTED) },    { named(ECONNREFUSED) }, { named(ECONNRESET) },
	{ named(EDEADLK) },         { named(EDQUOT) },       { named(EEXIST) },
	{ named(EFAULT) },          { named(EFBIG) },        { named(EHOSTDOWN) },
	{ named(EHOSTUNREACH) },    { named(EILSEQ) },       { named(EINPROGRESS) },
	{ named(EINTR) },           { named(EINVAL) },       { named(EIO) },
	{ named(EISCONN) },         { named(EISDIR) },       { named(ELOOP) },
	{ named(EMFILE) },          { named(EMLINK) },       { named(EMSGSIZE) },
	{ named(ENAMETOOLONG) },    { named(ENETDOWN) },     { named(ENETRESET) },
	{ named(ENETUNREACH) },     { named(ENFILE) },       { named(ENOBUFS) },
	{ named(ENODATA) },         { named(ENODEV) },       { named(ENOENT) },
	{ named(ENOLCK) },          { named(ENOMEM) },       { named(ENOSPC) },
	{ named(ENOSYS) },          { named(ENOTCONN) },     { named(ENOTDIR) },
	{ named(ENOTEMPTY) },       { named(ENOTSOCK) },     { named(ENOTTY) },
	{ named(ENXIO) },           { named(EOPNOTSUPP) },   { named(EOVERFLOW) },
	{ named(EPERM) },           { named(EPIPE) },        { named(EPROTO) },
	{ named(EPROTONOSUPPORT) }, { named(ERANGE) },       { named(EROFS) },
	{ named(ESPIPE) },          { named(ESRCH) },        { named(ESTALE) },
	{ named(ETIMEDOUT) },       { named(ETXTBSY) },      { named(EXDEV) },
};

const char *error_name(int error)
{
	for (size_t i = 0; i < array_length(names); i++) {
		if (names[i].error == error)
			return names[i].name;
	}
	return "unknown";
}

#endif
