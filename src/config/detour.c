/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "kapturefs/base/way.h"
#include "kapturefs/config/detour.h"

static bool is_inside(const struct way *way, const char *mountpoint)
{
	size_t length = strlen(mountpoint);

	return strncmp(way->done, mountpoint, length) == 0 &&
	       (way->done[length] == '/' || way->done[length] == '\0');
}

int detour_find(const char *path, const char *mountpoint, char **ret)
{
	bool went_through = false;
	struct way way;
	int r;

	*ret = NULL;
	r = way_begin(&way, path);
	while (!r && (r = way_next(&way)) > 0) {
		bool is_in = is_inside(&way, mountpoint);

		went_through |= is_in;
		r = is_in ? 0 : way_follow(&way);
		if (r > 0)
			r = 0;
	}
	if (r)
		return r;
	if (is_inside(&way, mountpoint))
		return DETOUR_BELOW;
	if (!went_through)
		return 0;
	*ret = strdup(way.done[0] ? way.done : "/");
	return *ret ? 0 : -ENOMEM;
}
