#pragma once
/* SPDX-License-Identifier: MIT */
/* The inside of a catalog: what its files share, and nobody else uses. */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/base/list.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/io/turns.h"
#include "kapturefs/store/catalog.h"
#include "kapturefs/store/answer_order.h"
#include "kapturefs/store/backoff.h"
#include "kapturefs/store/hotset.h"
#include "kapturefs/store/share.h"
#include "kapturefs/store/tally.h"

enum {
	CATALOG_BUCKETS = 1024,
	CATALOG_STALE_BELIEVED_MS = 1000, /* how long an old answer is taken for granted, at most */
};

/** Tickets that all wait equally long, hence in the order in which they are due. */
struct deadlines {
	struct list tickets;
	uv_timer_t timer;
	uint64_t duration_ms;
	int error; /* with which they come back */
};

/** A key being fetched. */
struct fetch {
	struct list link;
	struct list of_customer;
	uint32_t customer;  /* to whom its key led when it began, or 0 */
	struct list of_all; /* in the order in which they began */
	struct catalog *catalog;
	struct source_question question;
	enum source_hurry hurry; /* of those who wait */
	struct list tickets;
	struct list of_room;         /* of those that wait for room */
	uint64_t room;               /* bytes that the answer takes; 0: it is not known */
	struct source_answer answer; /* meanwhile, with a reference of its record */
	struct source_fetch *source_fetch;
	uint64_t deadline_ms; /* of the loop's clock */
	uint64_t insisted;    /* drawn when somebody last asked for something newer */
	bool is_answered;
	bool is_urgent;   /* what it changes is to be seen at once */
	bool is_repeated; /* the answer to another has come too late */
	bool is_forgotten;
};

struct catalog_ticket {
	struct list of_fetch;
	struct list of_deadlines;
	struct catalog *catalog;
	uint32_t user;       /* who waits, as in share.h */
	struct fetch *fetch; /* NULL for one that only waits for its deadline */
	uint64_t due_ms;     /* of the loop's clock */
	bool is_returning;   /* with @result; then of_deadlines links it among those that do */
	struct catalog_result result;
	catalog_ready_fn *ready;
	void *userdata;
};

struct house {
	uv_timer_t sweep;
	uv_timer_t minute;
	uv_timer_t wiping;
	uv_work_t work;
	struct cache_log_work log;
	bool is_working;
	bool is_ending;
};

struct catalog {
	uv_loop_t *loop;
	struct cache *cache;
	struct source *source;
	struct hotset *hotset;
	struct catalog_settings settings;
	char account[SOURCE_ACCOUNT_SIZE]; /* of the settings, or "" */
	struct catalog_listener listener;
	struct wallclock clock;
	struct list fetches[CATALOG_BUCKETS]; /* by the hash of their key */
	struct list of_customers[CATALOG_BUCKETS];
	struct backoff *backoff;
	struct list all_fetches;
	size_t fetch_count;
	struct tally fetches_of; /* users, by who began them */
	struct answer_order order;
	size_t ticket_count;
	struct tally tickets_of; /* users */
	struct deadlines timeout;
	struct deadlines patience; /* of those for whom there is an old answer */
	struct deadlines none;     /* ... while the source has no budget to ask for a new one */
	struct {
		struct list tickets; /* that wait for nothing but their turn to come back */
		struct turn_share share;
		uv_timer_t timer;
	} returning;
	struct house house;
	struct {
		struct list fetches; /* those that wait for room, who needs least first */
		struct turn_share share;
		uv_timer_t timer;
	} room;
	struct {
		uv_timer_t timer;
		struct turn_share share;
		struct cache_used used; /* of those who are told of them */
		int64_t changed_ms;     /* when answers came to expire at other times */
	} rules;
	struct turn_share searching;
	int64_t started_ms;
	struct recent served;
	struct recent kept;
	bool was_full;
	unsigned handles_open; /* the timers, closing or not, and the work under way */
	struct catalog_metrics {
		struct counter hits;
		struct counter misses_cold;
		struct counter misses_expired;
		struct counter misses_forced;
		struct counter misses_evicted;
		struct counter joined;
		struct counter stale;
		struct counter fetches;
		struct counter turned_away;
		struct counter hotset_hits;
		struct counter hotset_misses;
		struct counter hotset_bytes;
		struct counter phone_country;
	} metrics;
};

/** How long the answer for @key that was given at @fetched_ms counts as fresh. */
uint64_t catalog_ttl_ms(const struct catalog *catalog, const struct key *key, int64_t fetched_ms);

/** Keep @customer parsed. */
void catalog_keep_hot(struct catalog *catalog, const struct cache_customer *customer);

/** Begin the list of those who wait for @duration_ms. */
void deadlines_init(struct catalog *catalog, struct deadlines *deadlines, uint64_t duration_ms,
                    int error);

/**
 * Link @ticket to @fetch, unless that is NULL, and have it come back by @deadlines at the
 * latest.
 */
void ticket_link(struct catalog_ticket *ticket, struct fetch *fetch, struct deadlines *deadlines);

/** Begin the list of those who come back. */
void tickets_init(struct catalog *catalog);

/** Have all tickets of @fetch come back with @result, by tickets_return(). */
void fetch_come_back(struct fetch *fetch, const struct catalog_result *result);

/**
 * Tell those who come back, and free their tickets: as many as this turn of the loop has time for;
 * the others follow in the next turns.
 */
void tickets_return(struct catalog *catalog);

/** Have @ticket wait for @to instead of the fetch that it waits for. */
void ticket_move(struct catalog_ticket *ticket, struct fetch *to);

/** Whether @user has half of the places that there are for all, of which @count are taken. */
bool catalog_is_full(const struct catalog *catalog, const struct tally *tally, uint32_t user,
                     size_t count);

/**
 * A ticket of @caller that waits for nothing yet. Returns 0; -EBUSY when too many wait, or too many
 * of one user, which is counted; or -ENOMEM.
 */
int ticket_new(struct catalog *catalog, uint64_t caller, catalog_ready_fn *ready, void *userdata,
               struct catalog_ticket **ret) must_check;

/** The fetch to be joined for @key, or NULL. */
struct fetch *fetch_find(struct catalog *catalog, const struct key *key);

/** Whether something is being fetched that leads to @customer. */
bool fetch_is_about(struct catalog *catalog, uint32_t customer);

/**
 * Something newer of @customer is there by the answer to @by: whoever waits for another question
 * about that customer takes it, unless he insists on that.
 */
void fetch_overtake(const struct fetch *by, uint32_t customer);

/** Begin a fetch. Returns 0 or -ENOMEM. */
int fetch_new(struct catalog *catalog, const struct source_question *question,
              struct fetch **ret) must_check;

/** Free @fetch, for which nobody must wait. */
void fetch_free(struct fetch *fetch);

/** Whom it is about. */
struct backoff_subject fetch_subject(const struct fetch *fetch);

/** Somebody waits for it like this: who is in more of a hurry counts. */
void fetch_hurry(struct fetch *fetch, enum source_hurry hurry);

/** @caller waits for it, too, who need not wait for the turn of whoever began it. */
void fetch_join(struct fetch *fetch, uint64_t caller);

/** Nobody waits for it any more. */
void fetch_unwaited(struct fetch *fetch);

/** Whether its question has gone out, and the number that was drawn then; 0 if not. */
uint64_t fetch_sent(const struct fetch *fetch);

/** Note what became of @key, for tries under way. */
void catalog_note(struct catalog *catalog, const struct key *key, const struct answer_note *note);

/* catalog_keep.c */

/** The outcomes of catalog_keep() for an answer that is not all there is to know. */
enum {
	ANSWER_IS_LATE = 1, /* a later one is there, or part of one */
	ANSWER_IS_VOID,     /* and what it was has gone */
};

/**
 * Store of the @answer to @fetch what counts, see answer_order.h, and tell the listener. Returns 0,
 * an outcome, CACHE_FULL when there has to be more room for it and that takes more than its share
 * of a turn, or a negative errno; with either nothing changed.
 */
int catalog_keep(struct fetch *fetch, const struct source_answer *answer) must_check;

/** Whether what is known of the key of @fetch is as new as somebody insists. */
bool catalog_is_new_enough(const struct fetch *fetch);

/** Tell the listener of what is known of @key, as of something that is to be seen at once. */
int catalog_tell_again(struct catalog *catalog, const struct key *key) must_check;

/** Drop what @change removed from what is kept parsed, and tell the listener. */
void catalog_tell(struct catalog *catalog, const struct cache_change *change);

/** One of @handles_open is closed: the last frees the catalog. */
void catalog_let_go(struct catalog *catalog);

/** The @answer to @fetch is there. */
void fetch_answered(struct fetch *fetch, const struct source_answer *answer);

/* catalog_room.c */
void room_open(struct catalog *catalog);
void room_close(struct catalog *catalog, uv_close_cb closed);

/**
 * Make the room that is needed for the answer of @length to @fetch. Returns 0, CACHE_NONE if that
 * cannot be, or CACHE_FULL when the turn's share of time is over.
 */
int room_make(struct fetch *fetch, size_t length) must_check;

/** There was no room for the answer after all. */
void room_note_full(struct fetch *fetch);

/** Have fetch_answered() run with @answer when there is room for it. */
void room_wait(struct fetch *fetch, const struct source_answer *answer);

/** It does not wait any more, if it did. */
void room_leave(struct fetch *fetch);

/* catalog_rules.c */

/** How long the answer that @key was found with counts as fresh, and until when. */
uint64_t catalog_ttl_of(const struct catalog *catalog, const struct cache_key *key);
int64_t catalog_expires_ms(const struct catalog *catalog, const struct cache_key *key);

/** How long that answer may be taken for granted. */
uint64_t catalog_believe_ms(struct catalog *catalog, const struct cache_key *key, bool is_stale);

/** When the entry became what it is. */
int64_t catalog_stated_ms(struct catalog *catalog, const struct catalog_entry *entry);

void rules_open(struct catalog *catalog);
void rules_close(struct catalog *catalog, uv_close_cb closed);

/* catalog_house.c */
void house_open(struct catalog *catalog);
void house_close(struct catalog *catalog, uv_close_cb closed);

/** Evict somebody to make room for an answer; returns whether there was anybody. */
bool house_make_room(struct catalog *catalog);

/** Something has been stored. */
void house_answer_kept(struct catalog *catalog);

/** Somebody has been forgotten. */
void house_forgotten(struct catalog *catalog);
