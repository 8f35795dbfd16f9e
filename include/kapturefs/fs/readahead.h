#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Which directories are being read file by file: the kernel has been given the listing with its
 * nodes, and then asks for the content of one of them.
 *
 * Where that goes on from directory to directory for long, it is expected of the next one too, as
 * soon as its listing has ended. What was read ahead is not asked for, so the expectation is put
 * to the test from time to time.
 *
 * A small table that forgets: losing an entry costs a push, never an answer.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
	READAHEAD_DIRECTORIES = 256,
	READAHEAD_STREAK = 16,   /* directories seen to be read before others are expected to be */
	READAHEAD_UNREAD = 4,    /* listed ones without a read in between that do not end it */
	READAHEAD_EXPECTED = 15, /* directories that are expected to be, before one is seen again */
};

/** Zero to begin with. */
struct readahead {
	uint64_t listed[READAHEAD_DIRECTORIES]; /* numbers of directories, 0 for none */
	uint64_t last_node;                     /* the directory that was listed last */
	uint64_t last_value;                    /* the number of a value in it */
	unsigned streak;
	unsigned unread;
	unsigned expected;
};

/** The directory @number of values of one customer has been listed; not 0. */
void readahead_listed(struct readahead *readahead, uint64_t number);

/** It was listed as @node, with a value that has the number @value. */
void readahead_listed_as(struct readahead *readahead, uint64_t node, uint64_t value);

/** The listing of @node has ended: a value in it, if reads are expected; or 0. */
uint64_t readahead_ended(struct readahead *readahead, uint64_t node);

/** Values in @number are read or going to be: whether for the first time since the listing. */
bool readahead_is_first_read(struct readahead *readahead, uint64_t number);

/** A directory was seen to be read. */
void readahead_seen(struct readahead *readahead);
