#pragma once
/* SPDX-License-Identifier: MIT */
/* A thread that tells the kernel something, and a lock for what the reactor hands to it. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

/** What the thread does until must_end is set, with its userdata. */
typedef void teller_run_fn(void *userdata);

struct teller {
	pthread_mutex_t lock; /* of the next two, and of what its user shares with the thread */
	pthread_cond_t filled;
	bool must_end;
	bool has_ended; /* the thread's last word */
	pthread_t thread;
	bool is_running;
	teller_run_fn *run;
	void *userdata;
	const char *name; /* of the thread, borrowed */
};

/** Begin without a thread. */
void teller_init(struct teller *teller);

/** End; there must be no thread any more. */
void teller_fini(struct teller *teller);

/** Start the thread @name, which calls @run with the lock held. Returns 0 or a negative errno. */
int teller_start(struct teller *teller, const char *name, teller_run_fn *run,
                 void *userdata) must_check;

/** Wait, in the thread, until the reactor signals `filled`. */
void teller_wait(struct teller *teller);

/** ... or for at most so many milliseconds. */
void teller_wait_for(struct teller *teller, uint64_t wait_ms);

/** Have the thread end when it next looks. Its caller holds the lock. */
void teller_stop(struct teller *teller);

/** Whether there is no thread (any more); if so it has been joined. */
bool teller_has_ended(struct teller *teller);
