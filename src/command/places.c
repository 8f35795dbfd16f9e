/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>

#include "kapturefs/base/trust.h"
#include "kapturefs/command/places.h"
#include "kapturefs/store/cache_check.h"

static int conclude(int r, const char *option, const char *path, const char *why,
                    struct config_complaint *complaint)
{
	if (r == -ENOMEM || !r)
		return r;
	config_complain(complaint, "%s=%s: %s", option, path, r < 0 ? strerror(-r) : why);
	complaint->option = option;
	return -EINVAL;
}

int places_check(const struct config *config, struct config_complaint *complaint)
{
	const char *cache = config->cache;
	const char *log = config->log_file;
	char why[TRUST_WHY_SIZE];
	int r = 0;

	if (cache && strcmp(cache, ":memory:") != 0)
		r = conclude(cache_check_place(cache, why), "cache", cache, why, complaint);
	if (!r && log)
		r = conclude(trust_look(log, why), "log_file", log, why, complaint);
	return r;
}
