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
	entry->failure = *failure;
	entry->until_ms = now_ms + alone_ms;
}

const struct backoff_failure *backoff_find(const struct backoff *backoff,
                                           struct backoff_subject subject, uint64_t now_ms)
{
	const struct backoff_entry *entry = find(backoff, hash_of(subject));

	return entry && now_ms < entry->until_ms ? &entry->failure : NULL;
}

void backoff_end(struct backoff *backoff, struct backoff_subject subject)
{
	uint64_t hash = hash_of(subject);

	if (find(backoff, hash))
		*take(backoff, hash) = (struct backoff_entry){ 0 };
}
