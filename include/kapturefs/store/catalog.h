#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What is known of customers now, and how it comes to be known: *find* looks
 * and never starts anything, *want* fetches what is missing, once for all who wait.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/base/recent.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/cache_search.h"
#include "kapturefs/store/source.h"

struct catalog;
struct catalog_ticket; /* somebody's wait for a key */

/** Tells Unix time in milliseconds, which never goes back. */
struct catalog_clock {
	int64_t (*now_ms)(void *userdata); /* NULL for the system's time */
	void *userdata;
};

struct catalog_settings {
	uint64_t ttl_ms;          /* how long an answer is fresh */
	uint64_t negative_ttl_ms; /* how long an absence is */
	uint64_t max_stale_ms; /* how long past its ttl an answer may be served when asking fails */
	uint64_t timeout_ms;   /* the most that a ticket waits */
	uint64_t patience_ms;  /* ... when there is an old answer to serve */
	size_t memory_max;     /* bytes of records kept parsed */
	size_t waiting_max;    /* tickets at a time, and renewals; half for one user */
	bool offline;          /* never ask the source */
	uint64_t account;      /* whose customers a date is asked for; 0: as answers tell */
	uint32_t phone_country; /* as in key.h, for those who name keys */
	struct catalog_clock clock;
};

/** Whom to tell when an answer changed what can be seen; runs before anybody who waited for it. */
struct catalog_listener {
	void (*changed)(void *userdata, const struct cache_change *change);
	void *userdata;
};

/** How a wait ended: without @error the key has been answered, a customer or none. */
struct catalog_result {
	int error;         /* 0 or a negative errno */
	bool may_pass;     /* of an error: as in source.h, an old answer may stand in */
	bool is_overtaken; /* without error: what is there had come later, and counts instead */
	const char *cause; /* of an error, in words; borrowed, NULL where there is none */
	long status;       /* of HTTP, 0 without a reply */
};

/** Runs exactly once, from the loop, never inside catalog_want(); the ticket is gone by then. */
typedef void catalog_ready_fn(void *userdata, const struct catalog_result *result);

/**
 * What is asked, and when: an answer given after @asked_ms counts as fresh whatever its time to
 * live.
 */
struct catalog_question {
	int64_t asked_ms; /* Unix time */
	bool waited;      /* a ticket has come back with @result: what is there now must do */
	bool is_brief;    /* the entry may do without customer.record and customer.keys */
	/*
	 * A customer or date that is known will do, however old, without asking. If the entry may
	 * also be brief, so will an id on the list of a day: then the entry has no customer.slot.
	 */
	bool of_any_age;
	struct catalog_result result;
};

struct catalog_entry {
	struct cache_key key;
	struct cache_customer customer; /* owns a reference of its record */
	int64_t expires_ms;             /* when the answer stops being fresh; Unix time */
	uint64_t valid_ms;              /* how long all of this may be taken for granted */
	bool is_stale;
	bool is_from_api;  /* given during this run, not kept from an earlier one */
	int64_t stated_ms; /* when it became all of this, but for the customer; Unix time */
};

/** The customers created on a day; borrowed, all of it, until the catalog is asked again. */
struct catalog_day {
	struct cache_key key;
	const struct roster *roster;
	int64_t changed_ms; /* when somebody last came or went */
	uint64_t valid_ms;  /* how long this may be taken for granted */
	bool is_stale;
};

/** How it went in the last minutes. */
struct catalog_standing {
	struct recent_count served; /* answers to look-ups; bad are old ones */
	struct recent_count kept;   /* answers of the source; bad are those of another account */
};
struct catalog_standing catalog_stand(const struct catalog *catalog);

/** The outcomes of the find functions. */
enum {
	CATALOG_ABSENT = 1, /* there is no such customer */
	CATALOG_MISSING,    /* not known: want the key, and ask again */
	CATALOG_REMAINS,    /* forgotten, but for bytes in the cache's files; see CACHE_REMAINS */
};

/** Register what was found, what was missing and why. */
void catalog_add_metrics(struct catalog *catalog, struct metrics *metrics);

/** Begin on @loop; @cache and @source outlive the catalog. Returns 0 or -ENOMEM. */
int catalog_new(uv_loop_t *loop, struct cache *cache, struct source *source,
                const struct catalog_settings *settings, struct catalog **ret) must_check;

/**
 * End: fetches are dropped; every ticket must have been cancelled or have come back. The memory
 * goes once the loop has run. NULL is ignored.
 */
void catalog_free(struct catalog *catalog);
define_cleanup(struct catalog *, catalog_free);

void catalog_listen(struct catalog *catalog, struct catalog_listener listener);

/**
 * Go on with the settings' times and offline; the rest of them is not looked at. Who waits
 * already waits as long as before.
 */
void catalog_change(struct catalog *catalog, const struct catalog_settings *settings);

/** Now, in Unix milliseconds: the time by which answers age. Never goes back. */
int64_t catalog_now_ms(struct catalog *catalog);

/**
 * Whose customers a date is asked for, "" while that is not known and no date can be asked for;
 * borrowed until the next answer.
 */
const char *catalog_account(struct catalog *catalog);

/** The country of phone numbers, for key_parse_typed(). */
uint32_t catalog_phone_country(const struct catalog *catalog);

/** Bytes of memory for parsed customers. */
size_t catalog_memory_max(const struct catalog *catalog);

/** Whether the answer that @key was found with counts as fresh. */
bool catalog_is_fresh(struct catalog *catalog, const struct cache_key *key);

/** The most that a ticket waits. */
uint64_t catalog_timeout_ms(const struct catalog *catalog);

/**
 * What is known of @key. Returns 0 with *@ret to be ended by
 * catalog_entry_fini(), an outcome, or a negative errno: -ENETDOWN offline and
 * not cached, the question's error when waiting has failed and nothing may be served instead.
 */
int catalog_find(struct catalog *catalog, const struct key *key,
                 const struct catalog_question *question, struct catalog_entry *ret) must_check;

/** The same for the date @key, without an absence. */
int catalog_find_day(struct catalog *catalog, const struct key *key,
                     const struct catalog_question *question, struct catalog_day *ret) must_check;

/** The date with @slot as known now, however old; as catalog_known(). */
int catalog_known_day(struct catalog *catalog, uint32_t slot, struct catalog_day *ret) must_check;

/**
 * The key with @slot; of an id that is only known by a day's list, without a customer. Returns 0,
 * CATALOG_ABSENT if there is none any more, or a negative errno.
 */
int catalog_key(struct catalog *catalog, uint32_t slot, struct cache_key *ret) must_check;

/**
 * The customer with @slot as known now, however old, for whoever has looked it up already.
 * Returns 0 with a reference of the record in *@ret, CATALOG_ABSENT, or a negative errno.
 */
int catalog_customer(struct catalog *catalog, uint32_t slot, struct cache_customer *ret) must_check;

/** The same by a key's slot. */
int catalog_known(struct catalog *catalog, uint32_t slot, struct catalog_entry *ret) must_check;

/**
 * Hand the known keys of @kind with a slot above @slot to @take, as cache_list_keys(). Returns 0 or
 * a negative errno.
 */
int catalog_list_keys(struct catalog *catalog, enum key_kind kind, uint32_t slot,
                      cache_key_fn *take, void *userdata) must_check;

/*
 * All that is known as one text, as cache_export(), cache_export_find() and cache_export_read();
 * the first also returns -EACCES while the token is refused.
 */
int catalog_export(struct catalog *catalog, struct cache_export *ret) must_check;
int catalog_export_find(struct catalog *catalog, uint32_t generation,
                        struct cache_export *ret) must_check;
int catalog_export_read(struct catalog *catalog, uint32_t generation, uint64_t offset, char *bytes,
                        size_t size, size_t *ret_length) must_check;

/*
 * What is known by words, as the functions of cache_search.h; the first also returns -EACCES while
 * the token is refused. What is found now was there at catalog_search_ms(), in Unix time. All
 * searches together go on for two milliseconds in a turn of the loop.
 */
int catalog_search(struct catalog *catalog, const char *words,
                   struct cache_search **ret) must_check;
int64_t catalog_search_ms(struct catalog *catalog);
bool catalog_search_is_of(struct catalog *catalog, const struct cache_search *search,
                          const char *words);
int catalog_search_step(struct catalog *catalog, struct cache_search *search) must_check;

/**
 * The key of the customer with @id, if it is one of those that @search looks for. Returns 0,
 * CATALOG_ABSENT, or a negative errno.
 */
int catalog_search_find(struct catalog *catalog, const struct cache_search *search,
                        const struct key *id, struct cache_key *ret) must_check;

/** The key by id of the customer with the slot @customer; likewise. */
int catalog_id(struct catalog *catalog, uint32_t customer, struct cache_key *ret) must_check;

/** When a key of @kind last came or went; Unix time in ms. */
int64_t catalog_listing_changed_ms(const struct catalog *catalog, enum key_kind kind);

void catalog_entry_fini(struct catalog_entry *entry);

/**
 * Have @key fetched, joining a fetch under way, and be told. @ready runs no later than the
 * timeout; than the patience if an old answer may be served; and at once, @key being fetched in
 * the background, if moreover the source has no budget left. Returns 0 with the ticket in
 * *@ret, -EBUSY when too many wait, or -ENOMEM.
 */
int catalog_want(struct catalog *catalog, const struct key *key, catalog_ready_fn *ready,
                 void *userdata, struct catalog_ticket **ret) must_check;

/** The same on behalf of @caller, among whom the budget is shared; see share.h. */
int catalog_want_for(struct catalog *catalog, const struct key *key, uint64_t caller,
                     catalog_ready_fn *ready, void *userdata,
                     struct catalog_ticket **ret) must_check;

/**
 * Have @key fetched for @caller whatever is known of it, by a request that is sent from now on, and
 * be told no later than the timeout. What it changes is to be seen at once; should it fail, the old
 * answer does not count as fresh any more. If it @can_wait, every other question goes first, a
 * fetch under way will do, and there is no hurry to see it. Returns as catalog_want(); or -ENETDOWN
 * offline.
 */
int catalog_renew(struct catalog *catalog, const struct key *key, uint64_t caller, bool can_wait,
                  catalog_ready_fn *ready, void *userdata, struct catalog_ticket **ret) must_check;

/**
 * What was answered last for @key, however old; nothing is counted. Returns 0 with *@ret,
 * CATALOG_ABSENT with its fetched_ms alone, CATALOG_MISSING, or a negative errno.
 */
int catalog_peek(struct catalog *catalog, const struct key *key, struct cache_key *ret) must_check;

/**
 * How the last question about @key failed, whoever asked it: *@ret with an error, borrowed until
 * the catalog is asked again. False: it did not, or that is not known any more.
 */
bool catalog_why(struct catalog *catalog, const struct key *key, struct catalog_result *ret);

enum { CATALOG_CAUSE_SIZE = 256 };

/** Write why an error came, and how to fix it, in words; "" where there are none. */
void catalog_print_cause(const struct catalog_result *result, char ret[CATALOG_CAUSE_SIZE]);

/**
 * Forget the customer behind @key and all its other keys, or that there is none, everywhere. Who
 * waits for it gets ESTALE, and thereby asks again. No answer to what was sent before brings it
 * back. Returns 0, CATALOG_REMAINS, CATALOG_MISSING
 * if nothing was known, or a negative errno and nothing changed.
 */
int catalog_forget(struct catalog *catalog, const struct key *key) must_check;

/** Whether @ticket is on its way back: that many came back at once keeps it for a moment. */
bool catalog_is_returning(const struct catalog_ticket *ticket);

/** Stop waiting. A fetch under way goes on, its answer is worth keeping. NULL is ignored. */
void catalog_cancel(struct catalog_ticket *ticket);
