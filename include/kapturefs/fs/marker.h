#pragma once
/* SPDX-License-Identifier: MIT */
/* The files of the root by which programs that walk everything are told to leave the tree alone. */

#include <stdbool.h>
#include <stdint.h>

struct marker {
	const char *name;
	const char *content;
	bool is_listed; /* else it is there only for who asks for it by name */
};

/** The marker at @place, or NULL beyond the last. */
const struct marker *marker_at(uint32_t place);

/** The place of the marker @name, or -1. */
int marker_find(const char *name);
