/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/sandbox/customers.h"

enum { CUSTOMER_SIZE_MAX = 1 << 20 };

struct changed_customer {
	uint32_t index;
	bool is_deleted;
	struct members members;
};

void change_fini(struct change *change)
{
	members_fini(&change->set);
	members_fini(&change->removed);
}

void customers_init(struct customers *customers, struct generator generator)
{
	*customers = (struct customers){ .generator = generator };
}

void customers_reset(struct customers *customers)
{
	for (size_t i = 0; i < customers->changed_count; i++)
		members_fini(&customers->changed[i].members);
	free(customers->changed);
	customers_init(customers, customers->generator);
}

/* Where the changed customer @index stands, or would. */
static size_t place_of(const struct customers *customers, uint32_t index)
{
	size_t low = 0;
	size_t high = customers->changed_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (customers->changed[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct changed_customer *find_changed(const struct customers *customers, uint32_t index)
{
	size_t place = place_of(customers, index);

	if (place == customers->changed_count || customers->changed[place].index != index)
		return NULL;
	return &customers->changed[place];
}

bool customers_is_deleted(const struct customers *customers, uint32_t index)
{
	const struct changed_customer *changed = find_changed(customers, index);

	return changed && changed->is_deleted;
}

bool customers_find(const struct customers *customers, const struct key *key, uint32_t *ret)
{
	uint32_t index;

	if (!generator_find(&customers->generator, key, &index) ||
	    customers_is_deleted(customers, index))
		return false;
	*ret = index;
	return true;
}

int customers_write(const struct customers *customers, uint32_t index, struct buffer *buffer)
{
	const struct changed_customer *changed = find_changed(customers, index);

	if (changed)
		return members_write(&changed->members, buffer);
	return generator_write(&customers->generator, index, buffer);
}

static int read_generated(const struct customers *customers, uint32_t index, struct members *ret)
{
	cleanup(buffer_fini) struct buffer buffer;
	int r;

	buffer_init(&buffer, CUSTOMER_SIZE_MAX);
	r = generator_write(&customers->generator, index, &buffer);
	return r ? r : members_read(buffer.data, buffer.length, ret);
}

/* Begin to keep customer @index, so far as generated. */
static int keep(struct customers *customers, uint32_t index, struct changed_customer **ret)
{
	size_t place = place_of(customers, index);
	struct changed_customer *all;
	struct changed_customer changed = { .index = index };
	int r;

	all = reallocarray(customers->changed, customers->changed_count + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	customers->changed = all;
	r = read_generated(customers, index, &changed.members);
	if (r)
		return r;

	memmove(all + place + 1, all + place, (customers->changed_count - place) * sizeof(*all));
	all[place] = changed;
	customers->changed_count++;
	*ret = &all[place];
	return 0;
}

int customers_change(struct customers *customers, uint32_t index, const struct change *change)
{
	struct changed_customer *changed = find_changed(customers, index);
	int r = 0;

	if (!changed)
		r = keep(customers, index, &changed);
	for (size_t i = 0; !r && i < change->set.count; i++)
		r = members_set(&changed->members, &change->set.items[i]);
	if (r)
		return r;

	for (size_t i = 0; i < change->removed.count; i++)
		members_remove(&changed->members, &change->removed.items[i]);
	if (change->has_deleted)
		changed->is_deleted = change->is_deleted;
	return 0;
}
