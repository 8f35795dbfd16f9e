/* SPDX-License-Identifier: MIT */
/* In the place of command/confine.c: what the daemon would be without it. */

#include <stdlib.h>

#include "kapturefs/command/confine.h"

struct confinement confine_offered(void)
{
	return (struct confinement){ .landlock = 0 };
}

int confine(const struct config *config, struct confinement *ret)
{
	(void)config;
	*ret = confine_offered();
	return 0;
}

const char *confine_words(const struct confinement *confinement, char ret[CONFINE_WORDS_SIZE])
{
	(void)confinement;
	ret[0] = '\0';
	return ret;
}
