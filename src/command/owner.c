/* SPDX-License-Identifier: MIT */

#include <pwd.h>
#include <stdio.h>

#include "kapturefs/command/owner.h"

const char *owner_print(const struct mounts_entry *entry, char ret[OWNER_SIZE])
{
	const struct passwd *account = getpwuid(entry->owner);

	if (account)
		snprintf(ret, OWNER_SIZE, "%s", account->pw_name);
	else
		snprintf(ret, OWNER_SIZE, "%u", (unsigned)entry->owner);
	return ret;
}
