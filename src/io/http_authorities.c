/* SPDX-License-Identifier: MIT */

#include "kapturefs/io/http_authorities.h"

enum { AGE_MAX_S = 86400 };

static bool is_same(const struct stat *left, const struct stat *right)
{
	return left->st_dev == right->st_dev && left->st_ino == right->st_ino &&
	       left->st_size == right->st_size && left->st_mtim.tv_sec == right->st_mtim.tv_sec &&
	       left->st_mtim.tv_nsec == right->st_mtim.tv_nsec &&
	       left->st_ctim.tv_sec == right->st_ctim.tv_sec &&
	       left->st_ctim.tv_nsec == right->st_ctim.tv_nsec;
}

void http_authorities_init(struct http_authorities *authorities, const char *path, uint64_t now_ms)
{
	*authorities = (struct http_authorities){ .path = path, .changed_ms = now_ms };
	if (path && stat(path, &authorities->seen))
		authorities->seen = (struct stat){ 0 };
}

bool http_authorities_look(struct http_authorities *authorities, uint64_t now_ms)
{
	struct stat now;

	if (!authorities->path || stat(authorities->path, &now) ||
	    is_same(&now, &authorities->seen))
		return false;
	authorities->seen = now;
	http_authorities_renew(authorities, now_ms);
	return true;
}

void http_authorities_renew(struct http_authorities *authorities, uint64_t now_ms)
{
	authorities->changed_ms = now_ms;
}

/* A second less, since the loop's clock may lag behind that by which libcurl counts. */
long http_authorities_age_s(const struct http_authorities *authorities, uint64_t now_ms)
{
	uint64_t age_s = (now_ms - authorities->changed_ms) / 1000;

	if (age_s > AGE_MAX_S)
		return AGE_MAX_S;
	return age_s ? (long)age_s - 1 : 0;
}
