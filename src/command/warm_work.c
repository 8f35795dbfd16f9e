/* SPDX-License-Identifier: MIT */
/*
 * Threads that take one key after the other and have the mount ask for it. They wait in the kernel,
 * so there are as many as there are requests at a time; it is the mount that keeps to the rate.
 * What has run out of time there is asked for again, with fewer at a time.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/command/warm_parts.h"

enum {
	TRIES_MAX = 3,
	SLOWED_APART_MS = 1000, /* what runs out of time at once has one cause */
};

/* Whether nothing that is asked for after this error can end better. */
static bool is_hopeless(const struct warm_work *work, int error)
{
	/* Access is denied to one key, or to all. */
	if (error == -EACCES)
		return place_metric(work->place, "kapturefs_api_token_state", 1) ||
		       place_metric(work->place, "kapturefs_api_token_state_for_days", 1);
	return error == -ENETDOWN || error == -ENOTCONN || error == -ECONNABORTED ||
	       error == -ENODEV || error == -ENOTTY;
}

static bool may_go_on(const struct warm_work *work)
{
	return !work->must_end && !work->stopped_by &&
	       (work->again_count || work->next < work->keys->words.count);
}

/* Take the next key; false: no more. */
static bool take(struct warm_work *work, size_t *ret)
{
	bool is_there;

	pthread_mutex_lock(&work->lock);
	while (may_go_on(work) && work->busy >= work->allowed)
		pthread_cond_wait(&work->changed, &work->lock);
	is_there = may_go_on(work);
	if (is_there) {
		/* Those that have been asked for come last. */
		*ret = work->next < work->keys->words.count ? work->next++
		                                            : work->again[--work->again_count];
		work->tries[*ret]++;
		work->busy++;
	}
	pthread_mutex_unlock(&work->lock);
	return is_there;
}

/*
 * Time that runs out has most likely done so in the mount's queue: half as many at a time have
 * twice as much of it. Returns whether the key is to be asked for again.
 */
static bool slow_down(struct warm_work *work, size_t place)
{
	uint64_t now_ms = clock_ms();

	if (now_ms - work->slowed_ms >= SLOWED_APART_MS) {
		work->slowed_ms = now_ms;
		work->in_time = 0;
		work->allowed = work->allowed > 1 ? work->allowed / 2 : 1;
	}
	if (work->tries[place] >= TRIES_MAX)
		return false;
	work->again[work->again_count++] = place;
	return true;
}

static void speed_up(struct warm_work *work)
{
	if (++work->in_time < work->allowed || work->allowed == work->most)
		return;
	work->in_time = 0;
	work->allowed++;
}

/* @cause may be empty. */
static void note(struct warm_work *work, size_t place, int result, const char *cause)
{
	bool stops = is_hopeless(work, result);
	bool is_late;

	pthread_mutex_lock(&work->lock);
	is_late = result == -ETIMEDOUT && slow_down(work, place);
	if (result >= 0)
		work->counts.found++;
	else if (result == -ENOENT)
		work->counts.absent++;
	else if (!is_late)
		work->counts.failed++;
	if (!is_late) {
		work->results[place] = result < 0 ? result : 0;
		work->causes[place] = result < 0 && *cause ? strdup(cause) : NULL;
	}
	if (result >= 0 || result == -ENOENT)
		speed_up(work);
	if (stops && !work->stopped_by) {
		work->stopped_by = result;
		work->stopped_at = place;
	}
	work->busy--;
	pthread_cond_broadcast(&work->changed);
	pthread_mutex_unlock(&work->lock);
}

static void ask(struct warm_work *work, size_t place)
{
	struct kapturefs_order order = { .max_age_ms = work->max_age_ms };
	int result = -EINVAL;

	if (warm_is_key(work->keys, place)) {
		warm_path(work->keys, place, order.path);
		result = place_order(work->place, KAPTUREFS_REFRESH, &order);
	}
	note(work, place, result, order.cause);
}

static void *run(void *userdata)
{
	struct warm_work *work = userdata;
	size_t place;

	while (take(work, &place))
		ask(work, place);

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
	pthread_cond_init(&ret->changed, NULL);
	ret->allowed = jobs;
	ret->most = jobs;
	ret->tries = calloc(keys->words.count, sizeof(ret->tries[0]));
	ret->again = calloc(keys->words.count, sizeof(ret->again[0]));
	ret->causes = calloc(keys->words.count, sizeof(ret->causes[0]));
	ret->results = calloc(keys->words.count, sizeof(ret->results[0]));
	ret->done = eventfd(0, EFD_CLOEXEC);
	if (!ret->results || !ret->causes || !ret->tries || !ret->again)
		return -ENOMEM;
	if (ret->done < 0)
		return -errno;
	for (size_t i = 0; i < keys->words.count; i++)
		ret->results[i] = WARM_LEFT;
	/* None may find itself the last before all have been started. */
	pthread_mutex_lock(&ret->lock);
	while (!r && started < jobs && started < keys->words.count) {
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
	pthread_cond_broadcast(&work->changed);
	pthread_mutex_unlock(&work->lock);
}

void warm_work_fini(struct warm_work *work)
{
	/* The last thread has told that it is done, and may be about to let go. */
	pthread_mutex_lock(&work->lock);
	pthread_mutex_unlock(&work->lock);
	for (size_t i = 0; i < work->keys->words.count; i++)
		free(work->causes[i]);
	free(work->causes);
	free(work->results);
	free(work->tries);
	free(work->again);
	close(work->done);
	pthread_cond_destroy(&work->changed);
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
