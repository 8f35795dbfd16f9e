#pragma once
/* SPDX-License-Identifier: MIT */
/* What the tests of telling a catalog what to do have in common. cmocka.h comes first. */

#include "scripted_source.h"

/* The last change that the listener was told of. */
struct told {
	bool at_once;
	bool has_record;
	bool has_previous;
	size_t key_count;
	unsigned count;
};

static inline void note_change(void *userdata, const struct cache_change *change)
{
	struct told *told = userdata;

	*told = (struct told){
		.at_once = change->at_once,
		.has_record = change->customer.record != NULL,
		.has_previous = change->previous != NULL,
		.key_count = change->key_count,
		.count = told->count + 1,
	};
}

static inline void listen_to(struct fixture *fixture, struct told *told)
{
	*told = (struct told){ .count = 0 };
	catalog_listen(fixture->catalog, (struct catalog_listener){ note_change, told });
}

static inline void renew(struct fixture *fixture, const struct key *key, bool can_wait,
                         struct waiter *waiter)
{
	struct catalog_ticket *ticket;

	*waiter = (struct waiter){ .calls = 0 };
	assert_int_equal(catalog_renew(fixture->catalog, key, 0, can_wait, waiter_called, waiter,
	                               &ticket),
	                 0);
}

static inline void want(struct fixture *fixture, const struct key *key, struct waiter *waiter)
{
	struct catalog_ticket *ticket;

	*waiter = (struct waiter){ .calls = 0 };
	assert_int_equal(catalog_want(fixture->catalog, key, waiter_called, waiter, &ticket), 0);
}

static inline bool is_named(struct fixture *fixture, const struct key *key, const char *name)
{
	const struct catalog_question question = ask(fixture);
	struct catalog_entry entry;
	const struct member *member;
	bool is_named;

	assert_int_equal(catalog_find(fixture->catalog, key, &question, &entry), 0);
	member = record_child(entry.customer.record, record_member(entry.customer.record, 0),
	                      "name", strlen("name"));
	is_named = strncmp(member->value, name, strlen(name)) == 0;
	catalog_entry_fini(&entry);
	return is_named;
}

/* The first fetch, to be answered after the second has begun. */
struct first {
	source_done_fn *done;
	void *userdata;
};

static inline struct first first_of(const struct fixture *fixture)
{
	return (struct first){ fixture->script.done, fixture->script.userdata };
}

static inline void answer_first(const struct first *first, const char *id, const char *name)
{
	struct record *record = make_customer(id, "1", name);

	first->done(first->userdata, &(struct source_answer){ .record = record });
	record_unref(record);
}
