/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>

#include "kapturefs/base/list.h"
#include "kapturefs/store/hotset.h"

/* Chains are short as long as customers are a few KiB of the default 64 MiB. */
enum { BUCKETS = 1 << 14 };

struct entry {
	struct list order;
	struct entry *next; /* in its bucket */
	struct cache_customer customer;
};

struct hotset {
	struct list order; /* least recently used first */
	size_t size;
	size_t size_max;
	struct entry *buckets[BUCKETS];
};

int hotset_new(size_t size_max, struct hotset **ret)
{
	struct hotset *hotset;

	hotset = calloc(1, sizeof(*hotset));
	if (!hotset)
		return -ENOMEM;

	list_init(&hotset->order);
	hotset->size_max = size_max;
	*ret = hotset;
	return 0;
}

/* The place that points at the entry with @slot, or at the end of its chain. */
static struct entry **find_place(struct hotset *hotset, uint32_t slot)
{
	struct entry **place = &hotset->buckets[slot % BUCKETS];

	while (*place && (*place)->customer.slot != slot)
		place = &(*place)->next;
	return place;
}

static void remove_at(struct hotset *hotset, struct entry **place)
{
	struct entry *entry = *place;

	*place = entry->next;
	list_remove(&entry->order);
	hotset->size -= record_footprint(entry->customer.record);
	record_unref(entry->customer.record);
	free(entry);
}

void hotset_remove(struct hotset *hotset, uint32_t slot)
{
	struct entry **place = find_place(hotset, slot);

	if (*place)
		remove_at(hotset, place);
}

static void remove_oldest(struct hotset *hotset)
{
	hotset_remove(hotset, container_of(hotset->order.next, struct entry, order)->customer.slot);
}

void hotset_clear(struct hotset *hotset)
{
	while (!list_is_empty(&hotset->order))
		remove_oldest(hotset);
}

void hotset_free(struct hotset *hotset)
{
	if (!hotset)
		return;

	hotset_clear(hotset);
	free(hotset);
}

bool hotset_find(struct hotset *hotset, uint32_t slot, struct cache_customer *ret)
{
	struct entry *entry = *find_place(hotset, slot);

	if (!entry)
		return false;

	list_move_before(&hotset->order, &entry->order);
	*ret = entry->customer;
	record_ref(ret->record);
	return true;
}

void hotset_put(struct hotset *hotset, const struct cache_customer *customer)
{
	struct entry **place;
	struct entry *entry;

	hotset_remove(hotset, customer->slot);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return;

	place = find_place(hotset, customer->slot);
	entry->customer = *customer;
	record_ref(entry->customer.record);
	*place = entry;
	list_insert_before(&hotset->order, &entry->order);
	hotset->size += record_footprint(customer->record);

	while (hotset->size > hotset->size_max && hotset->order.next != &entry->order)
		remove_oldest(hotset);
}

size_t hotset_size(const struct hotset *hotset)
{
	return hotset->size;
}
