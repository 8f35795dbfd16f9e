/* SPDX-License-Identifier: MIT */
/*
 * Who reads them:
 *
 *   .trackerignore  GNOME's localsearch (Tracker): the default of its setting
 *                   `ignored-directories-with-content`, looked for in the listing
 *   .nomedia        the same, and media scanners (Android's, VLC's)
 *   CACHEDIR.TAG    programs that make backups, tar, borg and restic among them, where told to
 *                   leave caches out; looked for by name (bford.info/cachedir)
 *
 * KDE's Baloo and plocate know no such file: they go by configuration. `.metadata_never_index` is
 * of another system, and `.hidden` hides names in windows without keeping anybody out.
 */

#include <stddef.h>
#include <string.h>

#include "kapturefs/base/base.h"
#include "kapturefs/fs/marker.h"

static const struct marker markers[] = {
	{ ".trackerignore", "", true },
	{ ".nomedia", "", true },
	{ "CACHEDIR.TAG",
	  "Signature: 8a477f597d28d172789f06886806bc55\n"
	  "# Customers of a CRM account, fetched when they are asked for; see .kapturefs/README.\n",
	  false },
};

const struct marker *marker_at(uint32_t place)
{
	return place < array_length(markers) ? &markers[place] : NULL;
}

int marker_find(const char *name)
{
	for (size_t i = 0; i < array_length(markers); i++) {
		if (strcmp(markers[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}
