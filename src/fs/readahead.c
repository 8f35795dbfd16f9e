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

void readahead_listed_as(struct readahead *readahead, uint64_t node, uint64_t value)
{
	readahead->last_node = node;
	readahead->last_value = value;
	if (!readahead->expected && ++readahead->unread > READAHEAD_UNREAD)
		readahead->streak = 0;
}

uint64_t readahead_ended(struct readahead *readahead, uint64_t node)
{
	if (!readahead->expected || readahead->last_node != node)
		return 0;
	readahead->expected--;
	readahead->last_node = 0;
	return readahead->last_value;
}

void readahead_seen(struct readahead *readahead)
{
	readahead->unread = 0;
	if (readahead->streak < READAHEAD_STREAK)
		readahead->streak++;
	if (readahead->streak == READAHEAD_STREAK)
		readahead->expected = READAHEAD_EXPECTED;
}
