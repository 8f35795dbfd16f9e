/* SPDX-License-Identifier: MIT */
/*
 * The queue is a ring of notices, oldest first:
 *
 *   push     the values of one directory of one record
 *   change   the pages of what a new answer changed are to be dropped
 *
 * A change takes the pushes of its customer out of the queue. What is being pushed at that moment
 * cannot be stopped, but the change stands behind it, and so has the last word.
 */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/fs/notifier.h"
#include "kapturefs/fs/view.h"
#include "kapturefs/model/node.h"

enum {
	NOTICES_MAX = 1024,
	PUSH_SIZE_MAX = 64 << 10,
	PAGE_BYTES = 4096,
};

struct notice {
	struct record *record;    /* owned; NULL for what was taken back */
	struct record *successor; /* of a change: owned, or NULL */
	uint32_t customer;
	uint32_t directory; /* of a push: an index of the record's */
	bool is_push;
};

struct notifier {
	pthread_mutex_t lock; /* of the queue and the flags */
	pthread_cond_t filled;
	pthread_t thread;
	struct fuse_session *session;
	bool is_running;
	bool must_end;
	bool has_ended;
	bool is_telling; /* what has left the queue */
	unsigned first;
	unsigned count;
	struct notice notices[NOTICES_MAX];
	struct counter pushed_pages;
	struct counter dropped_pushes;
	struct counter dropped_changes;
	struct counter changed_values;
};

int notifier_new(struct notifier **ret)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));

	if (!notifier)
		return -ENOMEM;
	pthread_mutex_init(&notifier->lock, NULL);
	pthread_cond_init(&notifier->filled, NULL);
	*ret = notifier;
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
	                    "Values whose pages the kernel was told to drop.");
	metrics_add_counter(metrics, &notifier->dropped_changes, METRIC_COUNTER,
	                    "kapturefs_dropped_changes_total", "",
	                    "Changes not told because the queue was full of others.");
}

static void take_back(struct notice *notice)
{
	record_unref(steal(&notice->record));
	record_unref(steal(&notice->successor));
}

/* The thread's part */

/* -ENOENT: the kernel does not know the node, so it has nothing to drop or to keep. */
static void push_value(struct notifier *notifier, uint32_t customer, const struct member *member)
{
	struct fuse_bufvec bytes = FUSE_BUFVEC_INIT(member->value_length);
	union {
		const char *value;
		void *memory;
	} place = { .value = member->value };
	uint64_t number = node_pack(view_field_node(customer, member));

	bytes.buf[0].mem = place.memory;
	if (fuse_lowlevel_notify_store(notifier->session, number, 0, &bytes, FUSE_BUF_NO_SPLICE) ==
	    0)
		counter_add(&notifier->pushed_pages,
		            (member->value_length + PAGE_BYTES - 1) / PAGE_BYTES);
}

static void push(struct notifier *notifier, const struct notice *notice)
{
	const struct member *directory = record_member(notice->record, notice->directory);

	for (uint32_t i = 0; i < directory->child_count; i++) {
		const struct member *child =
		        record_member(notice->record, directory->first_child + i);

		if (!member_is_directory(child) && child->value_length > 0 &&
		    child->value_length <= PUSH_SIZE_MAX)
			push_value(notifier, notice->customer, child);
	}
}

static void drop_pages(struct notifier *notifier, struct node node)
{
	(void)fuse_lowlevel_notify_inval_inode(notifier->session, node_pack(node), 0, 0);
	counter_add(&notifier->changed_values, 1);
}

static void drop_changed(struct notifier *notifier, const struct notice *notice)
{
	const struct member *before;
	const struct member *now;

	for (uint32_t i = 0; (before = record_member(notice->record, i)); i++) {
		now = notice->successor ? record_by_ordinal(notice->successor, before->ordinal)
		                        : NULL;
		if (!member_is_directory(before) && (!now || now->changed_ms != before->changed_ms))
			drop_pages(notifier, view_field_node(notice->customer, before));
	}
	drop_pages(notifier, view_json_node(notice->customer, notice->record));
}

static void *run(void *userdata)
{
	struct notifier *notifier = userdata;
	struct notice notice;

	pthread_mutex_lock(&notifier->lock);
	for (;;) {
		while (!notifier->count && !notifier->must_end)
			pthread_cond_wait(&notifier->filled, &notifier->lock);
		if (notifier->must_end)
			break;
		notice = notifier->notices[notifier->first];
		notifier->first = (notifier->first + 1) % NOTICES_MAX;
		notifier->count--;
		if (!notice.record)
			continue;

		notifier->is_telling = true;
		pthread_mutex_unlock(&notifier->lock);
		if (notice.is_push)
			push(notifier, &notice);
		else
			drop_changed(notifier, &notice);
		take_back(&notice);
		pthread_mutex_lock(&notifier->lock);
		notifier->is_telling = false;
	}
	notifier->has_ended = true;
	pthread_mutex_unlock(&notifier->lock);
	return NULL;
}

/* The reactor's part */

int notifier_start(struct notifier *notifier, struct fuse_session *session)
{
	int error;

	notifier->session = session;
	error = pthread_create(&notifier->thread, NULL, run, notifier);
	if (error)
		return -error;
	pthread_setname_np(notifier->thread, "notifier");
	notifier->is_running = true;
	return 0;
}

static struct notice *notice_at(struct notifier *notifier, unsigned place)
{
	return &notifier->notices[(notifier->first + place) % NOTICES_MAX];
}

/* The next three run with the lock held. */

static void take_back_pushes(struct notifier *notifier, uint32_t customer)
{
	for (unsigned i = 0; i < notifier->count; i++) {
		struct notice *notice = notice_at(notifier, i);

		if (notice->is_push && notice->customer == customer)
			take_back(notice);
	}
}

/* Make room by giving up a push; false when there is none. */
static bool give_up_push(struct notifier *notifier)
{
	for (unsigned i = 0; i < notifier->count; i++) {
		struct notice *notice = notice_at(notifier, i);

		if (!notice->is_push)
			continue;
		take_back(notice);
		for (; i + 1 < notifier->count; i++)
			*notice_at(notifier, i) = *notice_at(notifier, i + 1);
		notifier->count--;
		return true;
	}
	return false;
}

static void add(struct notifier *notifier, const struct notice *notice)
{
	*notice_at(notifier, notifier->count) = *notice;
	record_ref(notice->record);
	if (notice->successor)
		record_ref(notice->successor);
	notifier->count++;
	pthread_cond_signal(&notifier->filled);
}

bool notifier_is_busy(struct notifier *notifier)
{
	bool is_busy;

	pthread_mutex_lock(&notifier->lock);
	is_busy = notifier->is_telling || notifier->count > 0;
	pthread_mutex_unlock(&notifier->lock);
	return is_busy;
}

void notifier_push(struct notifier *notifier, uint32_t customer, struct record *record,
                   uint32_t directory)
{
	const struct notice notice = {
		.record = record,
		.customer = customer,
		.directory = directory,
		.is_push = true,
	};

	pthread_mutex_lock(&notifier->lock);
	if (notifier->count < NOTICES_MAX)
		add(notifier, &notice);
	else
		counter_add(&notifier->dropped_pushes, 1);
	pthread_mutex_unlock(&notifier->lock);
}

static void add_change(struct notifier *notifier, const struct cache_change *change)
{
	const struct notice notice = {
		.record = change->previous,
		.successor = change->customer.record,
		.customer = change->customer.slot,
	};

	pthread_mutex_lock(&notifier->lock);
	take_back_pushes(notifier, notice.customer);
	if (notifier->count < NOTICES_MAX || give_up_push(notifier))
		add(notifier, &notice);
	else
		counter_add(&notifier->dropped_changes, 1);
	pthread_mutex_unlock(&notifier->lock);
}

/* Takes no lock that a pending request can hold. -ENOENT: the kernel does not know the node. */
static void expire(struct notifier *notifier, struct node node)
{
	(void)fuse_lowlevel_notify_inval_inode(notifier->session, node_pack(node), -1, 0);
}

/* Directories are of the keys' slots, and each has its own of the customer's. */
static void expire_directory(struct notifier *notifier, const struct cache_change *change,
                             uint32_t ordinal)
{
	for (size_t i = 0; i < change->key_count; i++)
		expire(notifier, node_of(NODE_DIRECTORY, change->keys[i], ordinal));
}

/* What was there and is no more, or is not any longer what it was. */
static void expire_previous(struct notifier *notifier, const struct cache_change *change)
{
	const struct record *record = change->customer.record;
	const struct member *before;
	const struct member *now;

	for (uint32_t i = 0; (before = record_member(change->previous, i)); i++) {
		now = record ? record_by_ordinal(record, before->ordinal) : NULL;
		if (now && now->changed_ms == before->changed_ms)
			continue;
		if (member_is_directory(before))
			expire_directory(notifier, change, before->ordinal);
		else
			expire(notifier, view_field_node(change->customer.slot, before));
	}
	expire(notifier, view_json_node(change->customer.slot, change->previous));
	expire(notifier, view_primary_node(change->customer.slot, change->previous));
}

void notifier_answer_changed(struct notifier *notifier, const struct cache_change *change)
{
	if (!notifier->is_running)
		return;

	for (int kind = 0; kind < KEY_KINDS; kind++) {
		if (change->listing[kind])
			expire(notifier, node_of(NODE_KEYS, (uint32_t)kind + 1, 0));
	}
	if (!change->previous || (change->customer.record && !change->values))
		return;
	expire_previous(notifier, change);
	add_change(notifier, change);
}

void notifier_stop(struct notifier *notifier)
{
	if (!notifier->is_running)
		return;

	pthread_mutex_lock(&notifier->lock);
	for (unsigned i = 0; i < notifier->count; i++)
		take_back(notice_at(notifier, i));
	notifier->count = 0;
	notifier->must_end = true;
	pthread_cond_signal(&notifier->filled);
	pthread_mutex_unlock(&notifier->lock);
}

bool notifier_has_ended(struct notifier *notifier)
{
	bool has_ended;

	if (!notifier->is_running)
		return true;

	pthread_mutex_lock(&notifier->lock);
	has_ended = notifier->has_ended;
	pthread_mutex_unlock(&notifier->lock);
	if (has_ended) {
		pthread_join(notifier->thread, NULL);
		notifier->is_running = false;
	}
	return has_ended;
}

void notifier_free(struct notifier *notifier)
{
	if (!notifier)
		return;

	assert(!notifier->is_running);
	pthread_cond_destroy(&notifier->filled);
	pthread_mutex_destroy(&notifier->lock);
	free(notifier);
}
