/* SPDX-License-Identifier: MIT */

#include <stdlib.h>

#include "kapturefs/base/process.h"
#include "kapturefs/command/inherited.h"
#include "kapturefs/config/table.h"

void inherited_close(const struct config *config, const char *mountpoint)
{
	enum { PATHS_MAX = 32 };
	const char *names[PATHS_MAX] = { mountpoint };
	size_t count = 1;

	for (size_t i = 0; i < config_option_count && count < PATHS_MAX; i++) {
		const void *member = (const char *)config + config_options[i].offset;

		if (config_options[i].type == OPTION_PATH)
			names[count++] = *(char *const *)member;
	}
	process_close_files(names, count);
}
