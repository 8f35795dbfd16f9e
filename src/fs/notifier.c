/* SPDX-License-Identifier: MIT */
/*
 * The queue is a ring of pushes, oldest first: each the values of one directory of one record.
 *
 * What is to be dropped has a queue of its own, which goes first and is as long as there are people
 * who wait for it. It is numbered, so that it can be seen what is done. It takes the pushes of its
 * customer out of their queue; what is being pushed at that moment cannot be stopped, but the drop
 * stands behind it, and so has the last word.
 *
 * A node that the kernel does not know may be one of which it has just been told: it makes the node
 * of a reply when the process that waits for it has the processor, and would then believe the reply
 * for as long as that allowed. So the attributes of such a node are expired once more, well within
 * the second in which a change is to be seen. Of those there are too many of, the oldest are not.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/base/log.h"
#include "kapturefs/fs/notifier_parts.h"

enum { LATER_MS = 500 };

int notifier_new(struct notifier **ret)
{
	cleanup(notifier_freep) struct notifier *notifier = calloc(1, sizeof(*notifier));
	int r;

	if (!notifier)
		return -ENOMEM;
	teller_init(&notifier->teller);
	list_init(&notifier->urgent);
	r = listings_new(&notifier->listings);
	if (r)
		return r;
	*ret = steal(&notifier);
	return 0;
}

void notifier_add_metrics(struct notifier *notifier, struct metrics *metrics)
{
	metrics_add_counter(metrics, &notifier->pushed_pages, METRIC_COUNTER,
	                    "kapturefs_pushed_pages_total", "",
	                    "Pages given to the kernel before it asked.");
	metrics_add_counter(metrics, &notifier->dropped_pushes, METRIC_COUNTER,
	                    "kapturefs_dropped_pushes_total", "",
	                    "Directories not pushed because the queue was full.");
	metrics_add_counter(metrics, &notifier->changed_values, METRIC_COUNTER,
	                    "kapturefs_changed_values_total", "",
	                    "Values of which the kernel was told that they are no more.");
	metrics_add_counter(metrics, &notifier->dropped_entries, METRIC_COUNTER,
	                    "kapturefs_dropped_entries_total", "",
	                    "Names that the kernel was told to drop, and had.");
	metrics_add_counter(metrics, &notifier->dropped_changes, METRIC_COUNTER,
	                    "kapturefs_dropped_changes_total", "",
	                    "Changes that could not be told for want of memory.");
	listings_add_metrics(notifier->listings, metrics);
}

static void take_back(struct push *push)
{
	record_unref(steal(&push->record));
}

static void urgent_free(struct urgent *urgent)
{
	list_remove(&urgent->link);
	record_unref(urgent->previous);
	record_unref(urgent->successor);
	free(urgent);
}

/* The thread's part */

static void tell_told(void *userdata)
{
	struct notifier *notifier = userdata;

	if (notifier->told)
		notifier->told(notifier->userdata);
}

/* The next two run with the lock held, and give it back for as long as the kernel is told. */

static void tell_urgent(struct notifier *notifier)
{
	struct urgent *urgent = container_of(notifier->urgent.next, struct urgent, link);

	list_remove(&urgent->link);
	pthread_mutex_unlock(&notifier->teller.lock);
	notifier_drop_urgent(notifier, urgent);
	pthread_mutex_lock(&notifier->teller.lock);
	notifier->urgent_told = urgent->number;
	urgent_free(urgent);
	tell_told(notifier);
}

static void push_next(struct notifier *notifier)
{
	struct push push = notifier->pushes[notifier->first];

	notifier->first = (notifier->first + 1) % PUSHES_MAX;
	notifier->count--;
	if (!push.record)
		return;

	pthread_mutex_unlock(&notifier->teller.lock);
	notifier_push_values(notifier, &push);
	take_back(&push);
	pthread_mutex_lock(&notifier->teller.lock);
}

static bool has_unknown_due(const struct notifier *notifier)
{
	return notifier->unknown_count &&
	       notifier->unknown[notifier->unknown_first].due_ms <= clock_ms();
}

static void expire_unknown(struct notifier *notifier)
{
	uint64_t number = notifier->unknown[notifier->unknown_first].number;

	notifier->unknown_first = (notifier->unknown_first + 1) % UNKNOWN_MAX;
	notifier->unknown_count--;
	pthread_mutex_unlock(&notifier->teller.lock);
	(void)notifier_expire_node(notifier, number);
	pthread_mutex_lock(&notifier->teller.lock);
}

static void wait(struct notifier *notifier)
{
	uint64_t due_ms = notifier->unknown[notifier->unknown_first].due_ms;
	uint64_t time_ms = clock_ms();

	if (!notifier->unknown_count)
		teller_wait(&notifier->teller);
	else if (due_ms > time_ms)
		teller_wait_for(&notifier->teller, due_ms - time_ms);
}

static void run(void *userdata)
{
	struct notifier *notifier = userdata;

	while (!notifier->teller.must_end) {
		bool has_unknown = has_unknown_due(notifier);

		if (!has_unknown && !notifier->count && list_is_empty(&notifier->urgent)) {
			wait(notifier);
			continue;
		}
		notifier->is_telling = true;
		if (!list_is_empty(&notifier->urgent))
			tell_urgent(notifier);
		else if (has_unknown)
			expire_unknown(notifier);
		else
			push_next(notifier);
		notifier->is_telling = false;
	}
}

/* The reactor's part */

int notifier_start(struct notifier *notifier, struct fuse_session *session)
{
	int r;

	notifier->session = session;
	r = listings_start(notifier->listings, session, tell_told, notifier);
	return r ? r : teller_start(&notifier->teller, "notifier", run, notifier);
}

void notifier_on_told(struct notifier *notifier, notifier_told_fn *told, void *userdata)
{
	notifier->told = told;
	notifier->userdata = userdata;
}

static struct push *push_at(struct notifier *notifier, unsigned place)
{
	return &notifier->pushes[(notifier->first + place) % PUSHES_MAX];
}

/* With the lock held. */
static void take_back_pushes(struct notifier *notifier, uint32_t customer)
{
	for (unsigned i = 0; i < notifier->count; i++) {
		struct push *push = push_at(notifier, i);

		if (push->customer == customer)
			take_back(push);
	}
}

bool notifier_is_busy(struct notifier *notifier)
{
	bool is_busy;

	pthread_mutex_lock(&notifier->teller.lock);
	is_busy = notifier->is_telling || notifier->count > 0 || !list_is_empty(&notifier->urgent);
	pthread_mutex_unlock(&notifier->teller.lock);
	return is_busy;
}

void notifier_push(struct notifier *notifier, uint32_t customer, struct record *record,
                   uint32_t directory)
{
	bool has_room;

	pthread_mutex_lock(&notifier->teller.lock);
	has_room = notifier->count < PUSHES_MAX;
	if (has_room)
		*push_at(notifier, notifier->count++) =
		        (struct push){ record_ref(record), customer, directory };
	pthread_mutex_unlock(&notifier->teller.lock);
	/* The thread would wake up only to wait for the lock. */
	if (has_room)
		pthread_cond_signal(&notifier->teller.filled);
	else
		counter_add(&notifier->dropped_pushes, 1);
}

void notifier_expire_later(struct notifier *notifier, uint64_t number)
{
	unsigned place;

	pthread_mutex_lock(&notifier->teller.lock);
	if (notifier->unknown_count == UNKNOWN_MAX) {
		notifier->unknown_first = (notifier->unknown_first + 1) % UNKNOWN_MAX;
		notifier->unknown_count--;
	}
	place = (notifier->unknown_first + notifier->unknown_count++) % UNKNOWN_MAX;
	notifier->unknown[place] = (struct unknown){ number, clock_ms() + LATER_MS };
	if (notifier->unknown_count == 1)
		pthread_cond_signal(&notifier->teller.filled);
	pthread_mutex_unlock(&notifier->teller.lock);
}

static struct record *ref(struct record *record)
{
	return record ? record_ref(record) : NULL;
}

static struct urgent *urgent_new(const struct cache_change *change)
{
	size_t count = change->key_count + change->place_count;
	struct urgent *urgent = calloc(1, sizeof(*urgent) + count * sizeof(urgent->numbers[0]));

	if (!urgent)
		return NULL;
	list_init(&urgent->link);
	urgent->customer = change->customer.slot;
	urgent->previous = ref(change->previous);
	urgent->successor = ref(change->customer.record);
	urgent->is_forgotten = change->is_forgotten;
	urgent->has_led = change->has_led;
	urgent->ended = change->ended;
	urgent->key_count = change->key_count;
	urgent->place_count = change->place_count;
	for (size_t i = 0; i < change->key_count; i++)
		urgent->numbers[i] = change->keys[i];
	for (size_t i = 0; i < change->place_count; i++)
		urgent->numbers[change->key_count + i] = change->places[i];
	return urgent;
}

/* One that there is no memory for is never told, and whoever waits for it waits in vain. */
static void add_urgent(struct notifier *notifier, const struct cache_change *change)
{
	struct urgent *urgent = urgent_new(change);

	pthread_mutex_lock(&notifier->teller.lock);
	notifier->urgent_added++;
	if (urgent) {
		if (urgent->is_forgotten)
			take_back_pushes(notifier, urgent->customer);
		urgent->number = notifier->urgent_added;
		list_insert_before(&notifier->urgent, &urgent->link);
		pthread_cond_signal(&notifier->teller.filled);
	} else {
		counter_add(&notifier->dropped_changes, 1);
	}
	pthread_mutex_unlock(&notifier->teller.lock);
}

void notifier_answer_changed(struct notifier *notifier, const struct cache_change *change)
{
	if (!notifier->teller.is_running)
		return;

	notifier_expire(notifier, change);
	if (notifier_has_to_drop(change))
		add_urgent(notifier, change);
}

struct notification notifier_last(const struct notifier *notifier)
{
	/* Only the reactor adds. */
	return (struct notification){ .change = notifier->urgent_added };
}

void notifier_listed(struct notifier *notifier, uint64_t directory)
{
	listings_add(notifier->listings, directory, clock_ms());
}

int notifier_drop_listing(struct notifier *notifier, uint64_t directory, struct notification *ret)
{
	*ret = (struct notification){ 0 };
	return listings_drop(notifier->listings, directory, clock_ms(), &ret->drop);
}

bool notifier_has_told(struct notifier *notifier, struct notification what)
{
	bool has_told;

	if (!listings_have_dropped(notifier->listings, what.drop))
		return false;
	pthread_mutex_lock(&notifier->teller.lock);
	has_told = notifier->urgent_told >= what.change;
	pthread_mutex_unlock(&notifier->teller.lock);
	return has_told;
}

void notifier_stop(struct notifier *notifier)
{
	listings_stop(notifier->listings);
	pthread_mutex_lock(&notifier->teller.lock);
	for (unsigned i = 0; i < notifier->count; i++)
		take_back(push_at(notifier, i));
	notifier->count = 0;
	while (!list_is_empty(&notifier->urgent))
		urgent_free(container_of(notifier->urgent.next, struct urgent, link));
	teller_stop(&notifier->teller);
	pthread_mutex_unlock(&notifier->teller.lock);
}

bool notifier_has_ended(struct notifier *notifier)
{
	bool has_ended = teller_has_ended(&notifier->teller);

	return listings_have_ended(notifier->listings) && has_ended;
}

void notifier_free(struct notifier *notifier)
{
	if (!notifier)
		return;

	listings_free(notifier->listings);
	teller_fini(&notifier->teller);
	free(notifier);
}
