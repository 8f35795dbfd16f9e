/* SPDX-License-Identifier: MIT */
/*
 * One mistake, which one makes by a flag. It is made in the library's own code, by calling it
 * as nobody may, so that a build in which only the tests are instrumented is found out, too.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/buffer.h"
#include "kapturefs/base/clock.h"
#include "kapturefs/model/naming.h"

#ifdef PLANTED_ADDRESS
/* The room for the name is a byte too small. */
static int plant_address(void)
{
	static const char name[] = "eight...";
	char *room = malloc(strlen(name) - 1);
	size_t length;
	int r = naming_decode(name, strlen(name), room, &length);

	free(room);
	return r;
}
#endif

#ifdef PLANTED_UNDEFINED
/* A difference that no number of 64 bits holds. */
static int plant_undefined(void)
{
	struct wallclock clock = { 0 };

	return wallclock_advance(&clock, INT64_MAX, -1) == 0;
}
#endif

#ifdef PLANTED_LEAK
/* A buffer that nobody ends. */
static int plant_leak(void)
{
	struct buffer buffer;
	int r;

	buffer_init(&buffer, SIZE_MAX);
	r = buffer_append_text(&buffer, "lost");
	buffer.data = NULL;
	return r;
}
#endif

int main(void)
{
	return PLANT();
}
