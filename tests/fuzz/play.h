#pragma once
/* SPDX-License-Identifier: MIT */
/* One run of the program that is an input of fuzz_requests.c. */

#include <stdio.h>

#include "fuzz.h"
#include "assembly.h"
#include "scripted.h"
#include "kapturefs/fs/caller.h"
#include "kapturefs/fs/libfuse.h"

enum { PLAY_NODES_MAX = 128 };

struct play {
	struct assembly assembly;
	struct script script;
	struct input input;
	uint64_t nodes[PLAY_NODES_MAX]; /* that replies have told of */
	size_t node_count;
	size_t interruptions;
	enum caller_state caller;
	int64_t unix_ms; /* by the own clock, from here on */
};

/** From here on, what the daemon asks of the system is answered for @play. */
void play_begin(struct play *play);

/** Check a reply, and learn the nodes that it tells of. */
void play_check_reply(struct kernel *kernel, const struct kernel_request *request, int error,
                      const char *body, size_t length);
