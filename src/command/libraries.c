/* SPDX-License-Identifier: MIT */
/*
 * A package manager sees to versions; a library that was built by hand, or that an old container
 * brings, would be found out by a wrong answer much later.
 */

#include <stdlib.h>
#include <uv.h>

#include "kapturefs/command/libraries.h"
#include "kapturefs/fs/session.h"
#include "kapturefs/io/database.h"
#include "kapturefs/io/http.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/store/cache_codec.h"

/* As meson.build has them. */
static const struct library {
	const char *name;
	const char *needed;
	const char *(*find)(void);
} libraries[] = {
	{ "libfuse", "3.14", session_libfuse_version },
	{ "libcurl", "7.88", http_curl_version },
	{ "OpenSSL", "3.0", http_openssl_version },
	{ "cJSON", "1.7.15", payload_cjson_version },
	{ "SQLite", "3.40", database_sqlite_version },
	{ "zstd", "1.4", codec_zstd_version },
	{ "libuv", "1.44", uv_version_string },
};

/* Numbers with dots between them; what is behind the numbers does not count. */
static bool is_older(const char *version, const char *needed)
{
	while (*needed) {
		char *version_end;
		char *needed_end;
		unsigned long found = strtoul(version, &version_end, 10);
		unsigned long least = strtoul(needed, &needed_end, 10);

		if (found != least)
			return found < least;
		version = version_end + (*version_end == '.');
		needed = needed_end + (*needed_end == '.');
	}
	return false;
}

bool libraries_are_new_enough(FILE *stream)
{
	for (size_t i = 0; i < array_length(libraries); i++) {
		const char *version = libraries[i].find();

		if (!is_older(version, libraries[i].needed))
			continue;
		fprintf(stream,
		        "kapturefs: the library %s is %s, and %s or newer is needed; fix: upgrade "
		        "its package (ldd says where it is loaded from)\n",
		        libraries[i].name, *version ? version : "missing", libraries[i].needed);
		return false;
	}
	return true;
}
