#pragma once
/* SPDX-License-Identifier: MIT */
/* What top has to show, and the screen that it is shown on. */

#include <stdbool.h>
#include <stddef.h>

#include "kapturefs/command/top_sample.h"

enum { TOP_HISTORY = 300 /* seconds */ };

struct top {
	const char *mountpoint;
	bool has_unicode;
	bool has_colours;
	bool is_paused;
	char *status; /* the page, or NULL */
	struct top_sample samples[TOP_HISTORY];
	size_t count; /* of samples ever taken; the latest is the last of them */
};

/** Take the terminal, until endwin(). */
void top_begin_screen(struct top *top);

/** Draw all of it anew. A sample must have been taken. */
void top_draw(const struct top *top);
