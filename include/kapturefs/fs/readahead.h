#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Which directories are being read file by file: the kernel has been given the listing with its
 * nodes, and then asks for the content of one of them.
 *
 * A small table that forgets: losing an entry costs a push, never an answer.
 */

#include <stdbool.h>
#include <stdint.h>

enum { READAHEAD_DIRECTORIES = 256 };

/** Zero to begin with. */
struct readahead {
	uint64_t listed[READAHEAD_DIRECTORIES]; /* numbers of directories, 0 for none */
};

/** The directory @number of values of one customer has been listed; not 0. */
void readahead_listed(struct readahead *readahead, uint64_t number);

/** A value in @number is being read: whether it is the first since the listing. */
bool readahead_is_first_read(struct readahead *readahead, uint64_t number);
