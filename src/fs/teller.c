/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <sys/prctl.h>
#include <time.h>

#include "kapturefs/fs/teller.h"

void teller_init(struct teller *teller)
{
	pthread_condattr_t attributes;

	*teller = (struct teller){ 0 };
	pthread_mutex_init(&teller->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&teller->filled, &attributes);
	pthread_condattr_destroy(&attributes);
}

void teller_fini(struct teller *teller)
{
	assert(!teller->is_running);
	pthread_cond_destroy(&teller->filled);
	pthread_mutex_destroy(&teller->lock);
}

static void *run(void *userdata)
{
	struct teller *teller = userdata;

	/* Another thread could not: it would write to a file in /proc. */
	(void)prctl(PR_SET_NAME, teller->name, 0, 0, 0);
	pthread_mutex_lock(&teller->lock);
	teller->run(teller->userdata);
	teller->has_ended = true;
	pthread_mutex_unlock(&teller->lock);
	return NULL;
}

int teller_start(struct teller *teller, const char *name, teller_run_fn *run_locked, void *userdata)
{
	int error;

	teller->run = run_locked;
	teller->userdata = userdata;
	teller->name = name;
	error = pthread_create(&teller->thread, NULL, run, teller);
	if (error)
		return -error;
	teller->is_running = true;
	return 0;
}

void teller_wait(struct teller *teller)
{
	pthread_cond_wait(&teller->filled, &teller->lock);
}

void teller_wait_for(struct teller *teller, uint64_t wait_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	until.tv_sec += (time_t)(wait_ms / 1000) + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&teller->filled, &teller->lock, &until);
}

void teller_stop(struct teller *teller)
{
	teller->must_end = true;
	pthread_cond_signal(&teller->filled);
}

bool teller_has_ended(struct teller *teller)
{
	bool has_ended;

	if (!teller->is_running)
		return true;

	pthread_mutex_lock(&teller->lock);
	has_ended = teller->has_ended;
	pthread_mutex_unlock(&teller->lock);
	if (has_ended) {
		pthread_join(teller->thread, NULL);
		teller->is_running = false;
	}
	return has_ended;
}
