/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/base/text.h"
#include "kapturefs/base/trust.h"
#include "kapturefs/config/secret_file.h"

void secret_wipe(struct secret *secret)
{
	explicit_bzero(secret, sizeof(*secret));
}

static bool is_of_token(const struct secret_place *place)
{
	return strcmp(place->option, "token_file") == 0;
}

int secret_refuse(const struct secret_place *place, struct config_complaint *complaint,
                  const char *why)
{
	config_complain(complaint, "%s=%s: %s", place->option, place->path, why);
	complaint->option = place->option;
	return -EINVAL;
}

/*
 * systemd lets a service's user read a credential of root's by an access control list where the
 * file system has them, and stat() shows the list's mask as the mode's group bits.
 */
static mode_t forbidden_mode(const struct secret_place *place, const struct stat *status)
{
	mode_t all = S_IRWXG | S_IRWXO;

	return place->is_credential && status->st_uid == 0 ? all & ~(mode_t)S_IRGRP : all;
}

static const char of_another[] =
        "belongs to another user; put a copy into a file of your own, and run chmod 600 on it";

/* A file that cannot be opened. */
static int refuse_closed(const struct secret_place *place, struct config_complaint *complaint,
                         int error)
{
	struct stat status;
	char why[256];

	if (error == ELOOP)
		return secret_refuse(place, complaint, "a symbolic link; name the file itself");
	/* The mode would let us: what does not is confine(), which access(2) knows nothing of. */
	if (error == EACCES && access(place->path, R_OK) == 0)
		return secret_refuse(place, complaint,
		                     "in no directory that the daemon has confined itself to when "
		                     "it was mounted; put it into one of them, or mount again");
	if (error == EACCES && stat(place->path, &status) == 0)
		return secret_refuse(place, complaint,
		                     status.st_uid == geteuid()
		                             ? "may not be read; run chmod 600 on it"
		                             : of_another);
	if (error == ENOENT && is_of_token(place))
		snprintf(why, sizeof(why),
		         "%s; write the API token into it, as Kapture issued it, and run chmod 600 "
		         "on it",
		         strerror(error));
	else if (error == ENOENT)
		snprintf(why, sizeof(why), "%s; make it, or leave %s out", strerror(error),
		         place->option);
	else
		snprintf(why, sizeof(why), "%s; give another %s=PATH", strerror(error),
		         place->option);
	return secret_refuse(place, complaint, why);
}

static int check_file(const struct secret_place *place, const struct stat *status,
                      struct config_complaint *complaint)
{
	if (!S_ISREG(status->st_mode))
		return secret_refuse(place, complaint, "not a regular file; name the file itself");
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return secret_refuse(place, complaint, of_another);
	if (status->st_mode & forbidden_mode(place, status))
		return secret_refuse(
		        place, complaint,
		        "others may use it; run chmod 600 on it, and consider known what it "
		        "holds");
	if (status->st_size > SECRET_SIZE_MAX)
		return secret_refuse(place, complaint, "over 64 KiB; name the file itself");
	return 0;
}

int secret_check_way(const struct secret_place *place, struct config_complaint *complaint)
{
	char why[TRUST_WHY_SIZE];
	int r = trust_look(place->path, why);

	if (r < 0)
		return secret_refuse(place, complaint, strerror(-r));
	return r ? secret_refuse(place, complaint, why) : 0;
}

int secret_read(const struct secret_place *place, struct secret *ret,
                struct config_complaint *complaint)
{
	cleanup(close_descriptor) int descriptor = -1;
	struct stat status;
	const char *why;
	ssize_t length;
	int r;

	ret->length = 0;
	descriptor = open(place->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0 || fstat(descriptor, &status) < 0)
		return refuse_closed(place, complaint, errno);
	r = check_file(place, &status, complaint);
	if (!r)
		r = secret_check_way(place, complaint);
	if (r)
		return r;

	while ((length = read(descriptor, ret->bytes + ret->length,
	                      SECRET_SIZE_MAX - ret->length)) > 0)
		ret->length += (size_t)length;
	if (length < 0)
		return secret_refuse(place, complaint, strerror(errno));
	ret->had_mark = ret->length >= 3 && memcmp(ret->bytes, "\xef\xbb\xbf", 3) == 0;
	why = text_make_plain(ret->bytes, &ret->length);
	if (why)
		return secret_refuse(place, complaint, why);
	ret->bytes[ret->length] = '\0';
	return 0;
}
