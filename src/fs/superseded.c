/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>

#include "kapturefs/base/list.h"
#include "kapturefs/fs/superseded.h"
#include "kapturefs/fs/view.h"

enum { BUCKETS = 256 };

struct entry {
	struct list by_age;
	struct list of_customer; /* among those of one hash, the latest last */
	struct record *record;   /* owned */
	uint32_t customer;
	bool at_once;
	uint64_t added_ms;
};

struct superseded {
	size_t size_max;
	size_t size;
	struct list by_age; /* oldest first */
	struct list buckets[BUCKETS];
};

int superseded_new(size_t size_max, struct superseded **ret)
{
	struct superseded *superseded = calloc(1, sizeof(*superseded));

	if (!superseded)
		return -ENOMEM;
	superseded->size_max = size_max;
	list_init(&superseded->by_age);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&superseded->buckets[i]);
	*ret = superseded;
	return 0;
}

static void drop(struct superseded *superseded, struct entry *entry)
{
	superseded->size -= record_footprint(entry->record);
	record_unref(entry->record);
	list_remove(&entry->by_age);
	list_remove(&entry->of_customer);
	free(entry);
}

static bool drop_oldest(struct superseded *superseded)
{
	if (list_is_empty(&superseded->by_age))
		return false;
	drop(superseded, container_of(superseded->by_age.next, struct entry, by_age));
	return true;
}

void superseded_free(struct superseded *superseded)
{
	if (!superseded)
		return;

	while (drop_oldest(superseded))
		;
	free(superseded);
}

static size_t bucket_of(uint32_t customer)
{
	return customer % BUCKETS;
}

void superseded_add(struct superseded *superseded, uint32_t customer, struct record *record,
                    bool at_once, uint64_t now_ms)
{
	struct entry *entry = malloc(sizeof(*entry));

	if (!entry)
		return;
	*entry = (struct entry){
		.record = record_ref(record),
		.customer = customer,
		.at_once = at_once,
		.added_ms = now_ms,
	};
	list_init(&entry->by_age);
	list_init(&entry->of_customer);
	list_insert_before(&superseded->by_age, &entry->by_age);
	list_insert_before(&superseded->buckets[bucket_of(customer)], &entry->of_customer);
	superseded->size += record_footprint(record);
	/* The newest stays, whatever its size. */
	while (superseded->size > superseded->size_max && superseded->by_age.next != &entry->by_age)
		drop_oldest(superseded);
}

void superseded_forget(struct superseded *superseded, uint32_t customer)
{
	struct list *bucket = &superseded->buckets[bucket_of(customer)];
	struct list *next;

	for (struct list *link = bucket->next; link != bucket; link = next) {
		struct entry *entry = container_of(link, struct entry, of_customer);

		next = link->next;
		if (entry->customer == customer)
			drop(superseded, entry);
	}
}

static const struct entry *find(const struct superseded *superseded, const struct node *node)
{
	const struct list *bucket = &superseded->buckets[bucket_of(node->slot)];

	for (struct list *link = bucket->previous; link != bucket; link = link->previous) {
		const struct entry *entry = container_of(link, struct entry, of_customer);

		if (entry->customer == node->slot && view_shows(entry->record, node))
			return entry;
	}
	return NULL;
}

struct record *superseded_find(const struct superseded *superseded, const struct node *node)
{
	const struct entry *entry = find(superseded, node);

	return entry ? entry->record : NULL;
}

struct record *superseded_find_young(const struct superseded *superseded, const struct node *node,
                                     uint64_t since_ms)
{
	const struct entry *entry = find(superseded, node);

	return entry && !entry->at_once && entry->added_ms >= since_ms ? entry->record : NULL;
}
