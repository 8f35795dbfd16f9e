/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "kapturefs/fs/teller.h"

/* What the thread needs to begin; it frees it. */
struct start {
	struct teller *teller;
	teller_run_fn *run;
	void *userdata;
};

void teller_init(struct teller *teller)
{
	*teller = (struct teller){ 0 };
	pthread_mutex_init(&teller->lock, NULL);
	pthread_cond_init(&teller->filled, NULL);
}

void teller_fini(struct teller *teller)
{
	assert(!teller->is_running);
	pthread_cond_destroy(&teller->filled);
	pthread_mutex_destroy(&teller->lock);
}

static void *run(void *userdata)
{
	struct start start = *(struct start *)userdata;

	free(userdata);
	pthread_mutex_lock(&start.teller->lock);
	start.run(start.userdata);
	start.teller->has_ended = true;
	pthread_mutex_unlock(&start.teller->lock);
	return NULL;
}

int teller_start(struct teller *teller, const char *name, teller_run_fn *run_locked, void *userdata)
{
	struct start *start = malloc(sizeof(*start));
	int error;

	if (!start)
		return -ENOMEM;
	*start = (struct start){ teller, run_locked, userdata };
	error = pthread_create(&teller->thread, NULL, run, start);
	if (error) {
		free(start);
		return -error;
	}
	pthread_setname_np(teller->thread, name);
	teller->is_running = true;
	return 0;
}

void teller_wait(struct teller *teller)
{
	pthread_cond_wait(&teller->filled, &teller->lock);
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
