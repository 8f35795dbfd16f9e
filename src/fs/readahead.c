/* SPDX-License-Identifier: MIT */

#include "kapturefs/fs/readahead.h"

/* Neighbouring customers and neighbouring directories of one customer get places of their own. */
static uint64_t *place_of(struct readahead *readahead, uint64_t number)
{
	return &readahead->listed[(number ^ number >> 32) % READAHEAD_DIRECTORIES];
}

void readahead_listed(struct readahead *readahead, uint64_t number)
{
	*place_of(readahead, number) = number;
}

bool readahead_is_first_read(struct readahead *readahead, uint64_t number)
{
	uint64_t *place = place_of(readahead, number);

	if (*place != number)
		return false;
	*place = 0;
	return true;
}
