/* SPDX-License-Identifier: MIT */
/*
 * A snapshot is held as long as no customer has changed since it began, for that costs nothing;
 * after that, until nobody has read it for IDLE_MS. What is kept for it is bounded: where it would
 * take more than KEPT_BYTES_MAX, the oldest snapshot ends. For want of a place, one goes that was
 * read to its end, or never, RECENT_MS ago; where all are being read, the newest is for all as long
 * as it is not older than that.
 *
 * A snapshot that has somebody who is forgotten ends. Whom a key led to that leads nowhere is not
 * known; so anybody who is not there any more may be meant.
 *
 * A customer that changes twice is kept twice, if there is a snapshot in between. Of the kept
 * rows of a customer, a snapshot shows the first whose change came after it.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/model/node.h"
#include "kapturefs/store/cache_snapshot.h"

enum {
	SNAPSHOTS_MAX = 4,
	IDLE_MS = 10 * 1000,
	RECENT_MS = 1000,
	KEPT_BYTES_MAX = 16 << 20,
};

struct snapshots {
	struct snapshot all[SNAPSHOTS_MAX]; /* by age; without blocks: none */
	size_t count;
	uint32_t next_generation;
	uint64_t changes;
	uint64_t insisted; /* what was changed until then is to be in every new one */
	int64_t changed_ms;
	int64_t now_ms;
	struct cache_exports ended;

	struct kept *kept; /* by slot, then by @until */
	size_t kept_count;
	size_t kept_capacity;
	size_t kept_bytes;
};

int snapshots_new(struct snapshots **ret)
{
	struct snapshots *snapshots = calloc(1, sizeof(*snapshots));

	if (!snapshots)
		return -ENOMEM;
	*ret = snapshots;
	return 0;
}

void snapshots_free(struct snapshots *snapshots)
{
	if (!snapshots)
		return;

	snapshots_end_all(snapshots);
	free(snapshots->kept);
	free(snapshots);
}

void snapshots_set_time(struct snapshots *snapshots, int64_t now_ms)
{
	snapshots->now_ms = now_ms;
	if (!snapshots->changed_ms)
		snapshots->changed_ms = now_ms;
}

int64_t snapshots_changed_ms(const struct snapshots *snapshots)
{
	return snapshots->changed_ms;
}

/* Two changes at the same time are two times, by which the kernel tells the files apart. */
int64_t snapshots_next_change_ms(const struct snapshots *snapshots)
{
	return snapshots->now_ms > snapshots->changed_ms ? snapshots->now_ms
	                                                 : snapshots->changed_ms + 1;
}

void snapshots_set_changed_ms(struct snapshots *snapshots, int64_t changed_ms)
{
	snapshots->changed_ms = changed_ms;
}

/* Keeping */

static void drop_kept(struct snapshots *snapshots, struct kept *kept)
{
	snapshots->kept_bytes -= kept->length;
	free(kept->json);
}

/* Drop what was kept for snapshots that have ended. */
static void tidy_kept(struct snapshots *snapshots)
{
	uint64_t oldest = snapshots->count ? snapshots->all[0].change : UINT64_MAX;
	size_t left = 0;

	for (size_t i = 0; i < snapshots->kept_count; i++) {
		if (snapshots->kept[i].until > oldest)
			snapshots->kept[left++] = snapshots->kept[i];
		else
			drop_kept(snapshots, &snapshots->kept[i]);
	}
	snapshots->kept_count = left;
}

static void note_ended(struct cache_exports *ended, uint32_t generation)
{
	if (ended->count == CACHE_EXPORTS_MAX)
		memmove(ended->generations, ended->generations + 1,
		        --ended->count * sizeof(ended->generations[0]));
	ended->generations[ended->count++] = generation;
}

void snapshots_end(struct snapshots *snapshots, struct snapshot *snapshot)
{
	size_t place = (size_t)(snapshot - snapshots->all);

	if (snapshot->is_read)
		note_ended(&snapshots->ended, snapshot->generation);
	free(snapshot->blocks);
	snapshots->count--;
	memmove(snapshot, snapshot + 1, (snapshots->count - place) * sizeof(*snapshot));
	tidy_kept(snapshots);
}

void snapshots_end_all(struct snapshots *snapshots)
{
	while (snapshots->count)
		snapshots_end(snapshots, &snapshots->all[snapshots->count - 1]);
}

/* The place of the first kept row of @slot, or of those behind, with a later @until. */
static size_t place_of(const struct snapshots *snapshots, uint32_t slot, uint64_t until)
{
	size_t low = 0;
	size_t high = snapshots->kept_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct kept *kept = &snapshots->kept[middle];

		if (kept->slot < slot || (kept->slot == slot && kept->until <= until))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_idle(const struct snapshots *snapshots, const struct snapshot *snapshot)
{
	return snapshots->now_ms - snapshot->used_ms > IDLE_MS;
}

bool snapshots_need(struct snapshots *snapshots, uint32_t slot)
{
	bool is_needed = false;

	for (size_t i = snapshots->count; i-- > 0;) {
		if (is_idle(snapshots, &snapshots->all[i]))
			snapshots_end(snapshots, &snapshots->all[i]);
		else
			is_needed |= slot < snapshots->all[i].slots;
	}
	return is_needed;
}

/* What the snapshots do not see is not worth keeping: a change between them, or the same again. */
static bool is_kept_already(const struct snapshots *snapshots, uint32_t slot)
{
	uint64_t newest = snapshots->all[snapshots->count - 1].change;
	size_t place = place_of(snapshots, slot, newest);

	return place < snapshots->kept_count && snapshots->kept[place].slot == slot;
}

static int make_room(struct snapshots *snapshots)
{
	size_t capacity = snapshots->kept_capacity ? snapshots->kept_capacity * 2 : 64;
	struct kept *grown;

	if (snapshots->kept_count < snapshots->kept_capacity)
		return 0;
	grown = reallocarray(snapshots->kept, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	snapshots->kept = grown;
	snapshots->kept_capacity = capacity;
	return 0;
}

static int insert(struct snapshots *snapshots, uint32_t slot, const char *json, size_t length)
{
	uint64_t until = snapshots->changes + 1;
	size_t place = place_of(snapshots, slot, until);
	struct kept *kept;
	char *copy = NULL;

	if (length > KEPT_BYTES_MAX || make_room(snapshots))
		return -ENOMEM;
	if (json) {
		copy = malloc(length + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, json, length);
	}
	kept = snapshots->kept + place;
	memmove(kept + 1, kept, (snapshots->kept_count - place) * sizeof(*kept));
	*kept = (struct kept){ slot, (uint32_t)length, until, copy, false };
	snapshots->kept_count++;
	snapshots->kept_bytes += length;
	return 0;
}

void snapshots_keep(struct snapshots *snapshots, uint32_t slot, const char *json, size_t length)
{
	if (!snapshots_need(snapshots, slot) || is_kept_already(snapshots, slot))
		return;
	if (insert(snapshots, slot, json, json ? length : 0)) {
		log_warning("export: no memory to go on with what is being read");
		snapshots_end_all(snapshots);
	}
	while (snapshots->kept_bytes > KEPT_BYTES_MAX && snapshots->count) {
		log_warning("export: too much has changed since somebody began to read");
		snapshots_end(snapshots, &snapshots->all[0]);
	}
}

void snapshots_note_gone(struct snapshots *snapshots, uint32_t slot)
{
	for (size_t place = place_of(snapshots, slot, 0);
	     place < snapshots->kept_count && snapshots->kept[place].slot == slot; place++)
		snapshots->kept[place].is_gone = true;
}

static bool has_gone(const struct snapshots *snapshots, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshots->kept_count; i++) {
		const struct kept *kept = &snapshots->kept[i];

		if (kept->is_gone && kept->until > snapshot->change && kept->slot < snapshot->slots)
			return true;
	}
	return false;
}

bool snapshots_forget_gone(struct snapshots *snapshots)
{
	bool were_any = false;

	for (size_t i = snapshots->count; i-- > 0;) {
		if (!has_gone(snapshots, &snapshots->all[i]))
			continue;
		snapshots_end(snapshots, &snapshots->all[i]);
		were_any = true;
	}
	return were_any;
}

struct cache_exports snapshots_take_ended(struct snapshots *snapshots)
{
	struct cache_exports ended = snapshots->ended;

	snapshots->ended.count = 0;
	return ended;
}

uint64_t snapshots_changes(const struct snapshots *snapshots)
{
	return snapshots->changes;
}

void snapshots_count_change(struct snapshots *snapshots)
{
	if (snapshots->count && !snapshots->all[snapshots->count - 1].outdated_ms)
		snapshots->all[snapshots->count - 1].outdated_ms = snapshots->now_ms;
	snapshots->changes++;
	snapshots->changed_ms = snapshots_next_change_ms(snapshots);
}

/* Looking */

const struct kept *snapshots_kept(const struct snapshots *snapshots,
                                  const struct snapshot *snapshot, uint32_t slot)
{
	size_t place = place_of(snapshots, slot, snapshot->change);

	/* Rows that changed before the snapshot stand in between. */
	while (place < snapshots->kept_count && snapshots->kept[place].until <= snapshot->change)
		place++;
	return place < snapshots->kept_count && snapshots->kept[place].slot < snapshot->slots
	               ? &snapshots->kept[place]
	               : NULL;
}

static struct snapshot *newest_of(struct snapshots *snapshots)
{
	return snapshots->count ? &snapshots->all[snapshots->count - 1] : NULL;
}

void snapshots_insist(struct snapshots *snapshots)
{
	snapshots->insisted = snapshots->changes;
}

struct snapshot *snapshots_recent(struct snapshots *snapshots)
{
	struct snapshot *newest = newest_of(snapshots);

	return newest && newest->change >= snapshots->insisted &&
	                       snapshots->now_ms - newest->outdated_ms < RECENT_MS
	               ? newest
	               : NULL;
}

struct snapshot *snapshots_present(struct snapshots *snapshots)
{
	struct snapshot *newest = newest_of(snapshots);

	return newest && newest->change == snapshots->changes ? newest : NULL;
}

struct snapshot *snapshots_find(struct snapshots *snapshots, uint32_t generation)
{
	for (size_t i = 0; i < snapshots->count; i++) {
		if (snapshots->all[i].generation == generation)
			return &snapshots->all[i];
	}
	return NULL;
}

/* Nobody is in the middle of it. */
static bool is_left(const struct snapshots *snapshots, const struct snapshot *snapshot)
{
	return (!snapshot->is_read || snapshot->is_read_to_end) &&
	       snapshots->now_ms - snapshot->used_ms >= RECENT_MS;
}

bool snapshots_have_room(struct snapshots *snapshots)
{
	for (size_t i = 0; i < snapshots->count && snapshots->count == SNAPSHOTS_MAX; i++) {
		if (is_idle(snapshots, &snapshots->all[i]) ||
		    is_left(snapshots, &snapshots->all[i]))
			snapshots_end(snapshots, &snapshots->all[i]);
	}
	return snapshots->count < SNAPSHOTS_MAX;
}

struct snapshot *snapshots_add(struct snapshots *snapshots, struct block *blocks, size_t count,
                               uint32_t slots)
{
	struct snapshot *snapshot = &snapshots->all[snapshots->count++];

	*snapshot = (struct snapshot){
		.generation = snapshots->next_generation,
		.change = snapshots->changes,
		.slots = slots,
		.changed_ms = snapshots->changed_ms,
		.used_ms = snapshots->now_ms,
		.size = blocks[count].start,
		.blocks = blocks,
		.block_count = count,
	};
	snapshots->next_generation = (snapshots->next_generation + 1) & NODE_ORDINAL_MAX;
	return snapshot;
}
