/* SPDX-License-Identifier: MIT */
/*
 * Threads that take one key after the other and have the mount ask for it. They wait in the kernel,
 * so there are as many as there are requests at a time; it is the mount that keeps to the rate.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kapturefs/command/warm_parts.h"

/* Whether nothing that is asked for after this error can end better. */
static bool is_hopeless(int error)
{
	return error == -EACCES || error == -ENETDOWN || error == -ENOTCONN ||
	       error == -ECONNABORTED || error == -ENODEV || error == -ENOTTY;
}

/* Take the next key; false: no more. */
static bool take(struct warm_work *work, size_t *ret)
{
	bool is_there;

	pthread_mutex_lock(&work->lock);
	is_there = !work->must_end && !work->stopped_by && work->next < work->keys->count;
	if (is_there)
		*ret = work->next++;
	pthread_mutex_unlock(&work->lock);
	return is_there;
}

static void note(struct warm_work *work, size_t place, int result)
{
	pthread_mutex_lock(&work->lock);
	if (result >= 0)
		work->counts.found++;
	else if (result == -ENOENT)
		work->counts.absent++;
	else
		work->counts.failed++;
	work->results[place] = result < 0 ? result : 0;
	if (is_hopeless(result))
		work->stopped_by = result;
	pthread_mutex_unlock(&work->lock);
}

static int ask(const struct warm_work *work, size_t place)
{
	struct kapturefs_order order = { .max_age_ms = work->max_age_ms };

	if (!warm_is_key(work->keys, place))
		return -EINVAL;
	warm_path(work->keys, place, order.path);
	return place_order(work->place, KAPTUREFS_REFRESH, &order);
}

static void *run(void *userdata)
{
	struct warm_work *work = userdata;
	size_t place;

	while (take(work, &place))
		note(work, place, ask(work, place));

	pthread_mutex_lock(&work->lock);
	if (--work->running == 0)
		eventfd_write(work->done, 1);
	pthread_mutex_unlock(&work->lock);
	return NULL;
}

static int start_thread(struct warm_work *work)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, run, work);

	if (!error) {
		pthread_detach(thread);
		work->running++;
	}
	return -error;
}

int warm_work_start(const struct warm_keys *keys, const struct place *place, uint64_t max_age_ms,
                    unsigned jobs, struct warm_work *ret)
{
	unsigned started = 0;
	int r = 0;

	*ret = (struct warm_work){ .keys = keys, .place = place, .max_age_ms = max_age_ms };
	pthread_mutex_init(&ret->lock, NULL);
	ret->results = calloc(keys->count, sizeof(ret->results[0]));
	ret->done = eventfd(0, EFD_CLOEXEC);
	if (!ret->results)
		return -ENOMEM;
	if (ret->done < 0)
		return -errno;
	for (size_t i = 0; i < keys->count; i++)
		ret->results[i] = WARM_LEFT;
	/* None may find itself the last before all have been started. */
	pthread_mutex_lock(&ret->lock);
	while (!r && started < jobs && started < keys->count) {
		r = start_thread(ret);
		started += !r;
	}
	pthread_mutex_unlock(&ret->lock);
	/* Fewer will do. */
	return started ? 0 : r;
}

void warm_work_stop(struct warm_work *work)
{
	pthread_mutex_lock(&work->lock);
	work->must_end = true;
	pthread_mutex_unlock(&work->lock);
}

void warm_work_fini(struct warm_work *work)
{
	/* The last thread has told that it is done, and may be about to let go. */
	pthread_mutex_lock(&work->lock);
	pthread_mutex_unlock(&work->lock);
	free(work->results);
	close(work->done);
	pthread_mutex_destroy(&work->lock);
}

struct warm_counts warm_work_counts(struct warm_work *work)
{
	struct warm_counts counts;

	pthread_mutex_lock(&work->lock);
	counts = work->counts;
	pthread_mutex_unlock(&work->lock);
	return counts;
}
