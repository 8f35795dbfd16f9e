/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/siphash.h"
#include "kapturefs/store/backoff.h"

enum {
	FIRST_MS = 1000,
	MOST_MS = 30000,
	SETS = 1024, /* a power of two */
	WAYS = 4,
};

/* Two subjects of one hash are left alone together. */
struct backoff_entry {
	uint64_t hash; /* 0: free */
	uint64_t until_ms;
	uint32_t failures; /* in a row */
	struct backoff_failure failure;
	char *cause; /* what that borrows */
};

struct backoff {
	struct backoff_entry entries[SETS][WAYS];
};

int backoff_new(struct backoff **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void backoff_free(struct backoff *backoff)
{
	for (size_t i = 0; backoff && i < SETS; i++) {
		for (int way = 0; way < WAYS; way++)
			free(backoff->entries[i][way].cause);
	}
	free(backoff);
}

static uint64_t hash_of(struct backoff_subject subject)
{
	const struct siphash_key by_kind = { { subject.customer ? 0 : 1 + subject.key->kind, 0 } };
	uint64_t hash = subject.customer
	                        ? siphash(by_kind, &subject.customer, sizeof(subject.customer))
	                        : siphash(by_kind, subject.key->text, strlen(subject.key->text));

	return hash ? hash : 1;
}

static const struct backoff_entry *find(const struct backoff *backoff, uint64_t hash)
{
	const struct backoff_entry *set = backoff->entries[hash % SETS];

	for (int i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
	}
	return NULL;
}

/* The entry with @hash, or the one that makes room for it. */
static struct backoff_entry *take(struct backoff *backoff, uint64_t hash)
{
	struct backoff_entry *set = backoff->entries[hash % SETS];
	struct backoff_entry *first = &set[0];

	for (int i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (set[i].until_ms < first->until_ms)
			first = &set[i];
	}
	free(first->cause);
	*first = (struct backoff_entry){ .hash = hash };
	return first;
}

static uint64_t pause_ms(uint32_t failures)
{
	uint64_t pause_ms = FIRST_MS;

	for (uint32_t i = 1; i < failures && pause_ms < MOST_MS; i++)
		pause_ms *= 2;
	return pause_ms < MOST_MS ? pause_ms : MOST_MS;
}

/* Without memory the errno has to do. */
static void keep(struct backoff_entry *entry, const struct backoff_failure *failure)
{
	free(entry->cause);
	entry->cause = failure->cause ? strdup(failure->cause) : NULL;
	entry->failure = *failure;
	entry->failure.cause = entry->cause;
}

void backoff_note(struct backoff *backoff, struct backoff_subject subject,
                  const struct backoff_failure *failure, uint64_t now_ms)
{
	struct backoff_entry *entry = take(backoff, hash_of(subject));
	uint64_t epoch = entry->failure.epoch;

	if (now_ms < entry->until_ms)
		return;
	keep(entry, failure);
	/* The row goes on as if this had not been. */
	if (entry->failures)
		entry->failure.epoch = epoch;
}

void backoff_fail(struct backoff *backoff, struct backoff_subject subject,
                  const struct backoff_failure *failure, uint64_t now_ms)
{
	struct backoff_entry *entry = take(backoff, hash_of(subject));
	uint64_t alone_ms;

	if (entry->failure.epoch != failure->epoch)
		entry->failures = 0;
	alone_ms = pause_ms(++entry->failures);
	if (alone_ms < failure->retry_after_ms)
		alone_ms = failure->retry_after_ms;
	keep(entry, failure);
	entry->until_ms = now_ms + alone_ms;
}

uint64_t backoff_left_ms(const struct backoff *backoff, struct backoff_subject subject,
                         uint64_t now_ms)
{
	const struct backoff_entry *entry = find(backoff, hash_of(subject));

	return entry && now_ms < entry->until_ms ? entry->until_ms - now_ms : 0;
}

const struct backoff_failure *backoff_find(const struct backoff *backoff,
                                           struct backoff_subject subject, uint64_t now_ms)
{
	const struct backoff_entry *entry = find(backoff, hash_of(subject));

	return entry && now_ms < entry->until_ms ? &entry->failure : NULL;
}

const struct backoff_failure *backoff_last(const struct backoff *backoff,
                                           struct backoff_subject subject)
{
	const struct backoff_entry *entry = find(backoff, hash_of(subject));

	return entry ? &entry->failure : NULL;
}

void backoff_end(struct backoff *backoff, struct backoff_subject subject)
{
	uint64_t hash = hash_of(subject);
	struct backoff_entry *entry;

	if (!find(backoff, hash))
		return;
	entry = take(backoff, hash);
	free(entry->cause);
	*entry = (struct backoff_entry){ 0 };
}
