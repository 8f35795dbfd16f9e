/* SPDX-License-Identifier: MIT */
/*
 * The part of catalog that keeps house.
 *
 *   after an answer   once whoever waited has most likely read it, or at once in a cache that is
 *                     nearly full, the cache is swept, a step at a time, while others are served in
 *                     between; and its log is synced on the thread pool, once for all that were
 *                     stored meanwhile, or moved into the file, while nothing is swept
 *   an absence is over   swept, within a second or two
 *   every minute      swept and tidied
 *   somebody was forgotten  what is in memory of it is wiped soon after
 *   the file is lost  nothing is known any more but what will be asked for
 */

#include "kapturefs/base/wiping.h"
#include "kapturefs/store/catalog_parts.h"

enum {
	ANSWERS_MS = 10, /* until those who waited for one have most likely read it */
	MINUTE_MS = 60 * 1000,
	LATER_MS = 1000,
	WIPING_MS = 20,
	SOON_MS = 1, /* a timer of 0 would go off again in the same turn of the loop */
	STEPS_NS_MAX = 2 * 1000 * 1000, /* spent on sweeping before others have their turn */
};

static void work(uv_work_t *work)
{
	cache_log_run(&container_of(work, struct catalog, house.work)->house.log);
}

static void look_after_log(struct catalog *catalog);

/* What came meanwhile gets its own: at once if it keeps the log from being moved wholly. */
static void work_done(uv_work_t *work, int status)
{
	struct catalog *catalog = container_of(work, struct catalog, house.work);

	(void)status;
	cache_log_end(catalog->cache, &catalog->house.log);
	catalog->house.is_working = false;
	if (!catalog->house.is_ending) {
		if (cache_log_is_long(catalog->cache))
			look_after_log(catalog);
		house_answer_kept(catalog);
	}
	catalog_let_go(catalog);
}

static void look_after_log(struct catalog *catalog)
{
	struct house *house = &catalog->house;

	if (house->is_working || !cache_log_begin(catalog->cache, &house->log))
		return;
	/* It only fails without a function. */
	(void)!uv_queue_work(catalog->loop, &house->work, work, work_done);
	house->is_working = true;
	catalog->handles_open++;
}

void catalog_tell(struct catalog *catalog, const struct cache_change *change)
{
	if (change->customer.record)
		catalog_keep_hot(catalog, &change->customer);
	else if (change->customer.slot)
		hotset_remove(catalog->hotset, change->customer.slot);
	if (change->other.record)
		catalog_keep_hot(catalog, &change->other);
	if (catalog->listener.changed)
		catalog->listener.changed(catalog->listener.userdata, change);
}

/*
 * What the kernel knows of a customer it was told when that was parsed. Who goes on reading then
 * reads what it was, and who comes by its path looks it up again.
 */
static void tell_evicted(struct catalog *catalog, struct cache_change *change)
{
	struct cache_customer known;

	if (change->customer.slot && !change->customer.record && !change->previous &&
	    hotset_find(catalog->hotset, change->customer.slot, &known))
		change->previous = known.record;
	catalog_tell(catalog, change);
	cache_change_fini(change);
}

static void sweep(uv_timer_t *timer);

static void await_absences(struct catalog *catalog)
{
	uint64_t wait_ms = cache_absences_due_in(catalog->cache, catalog_now_ms(catalog));

	if (wait_ms != UINT64_MAX)
		uv_timer_start(&catalog->house.sweep, sweep, wait_ms, 0);
}

static void sweep(uv_timer_t *timer)
{
	struct catalog *catalog = container_of(timer, struct catalog, house.sweep);
	uint64_t start = uv_hrtime();
	struct cache_change change;
	int r;

	if (catalog->house.is_working && cache_log_rests(catalog->cache))
		return;
	do {
		r = cache_sweep(catalog->cache, catalog_now_ms(catalog), &change);
		if (r < 0)
			break;
		tell_evicted(catalog, &change);
	} while (r == CACHE_MORE && uv_hrtime() - start < STEPS_NS_MAX);

	look_after_log(catalog);
	if (r > 0)
		uv_timer_start(timer, sweep, r == CACHE_MORE ? SOON_MS : LATER_MS, 0);
	else
		await_absences(catalog);
}

bool house_make_room(struct catalog *catalog)
{
	struct cache_change change;

	if (cache_make_room(catalog->cache, catalog_now_ms(catalog), &change))
		return false;
	tell_evicted(catalog, &change);
	return true;
}

void house_answer_kept(struct catalog *catalog)
{
	uv_timer_t *timer = &catalog->house.sweep;
	uint64_t wait_ms = cache_is_nearly_full(catalog->cache) ? 0 : ANSWERS_MS;

	if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > wait_ms)
		uv_timer_start(timer, sweep, wait_ms, 0);
}

static void minute_passed(uv_timer_t *timer)
{
	struct catalog *catalog = container_of(timer, struct catalog, house.minute);

	cache_tidy(catalog->cache, catalog_now_ms(catalog));
	house_answer_kept(catalog);
}

/*
 * By the loop itself, so that no function that has handled a value has still to return, and once
 * for all who were forgotten meanwhile.
 */
static void wipe(uv_timer_t *timer)
{
	struct catalog *catalog = container_of(timer, struct catalog, house.wiping);

	cache_wipe_memory(catalog->cache);
	wipe_stack();
}

void house_forgotten(struct catalog *catalog)
{
	if (!uv_is_active((uv_handle_t *)&catalog->house.wiping))
		uv_timer_start(&catalog->house.wiping, wipe, WIPING_MS, 0);
}

static void file_lost(void *userdata)
{
	struct catalog *catalog = userdata;
	struct cache_change change = {
		.listing = { [KEY_ID] = true,
		             [KEY_PHONE] = true,
		             [KEY_EMAIL] = true,
		             [KEY_DATE] = true },
	};

	hotset_clear(catalog->hotset);
	catalog_tell(catalog, &change);
}

void house_open(struct catalog *catalog)
{
	cache_on_lost(catalog->cache, file_lost, catalog);
	uv_timer_init(catalog->loop, &catalog->house.sweep);
	uv_timer_init(catalog->loop, &catalog->house.minute);
	catalog->house.sweep.data = catalog;
	catalog->house.minute.data = catalog;
	uv_timer_init(catalog->loop, &catalog->house.wiping);
	catalog->house.wiping.data = catalog;
	catalog->handles_open += 3;
	uv_timer_start(&catalog->house.minute, minute_passed, MINUTE_MS, MINUTE_MS);
	cache_keep_absences(catalog->cache, catalog->settings.negative_ttl_ms);
	/* Those of an earlier life. */
	await_absences(catalog);
}

void house_close(struct catalog *catalog, uv_close_cb closed)
{
	cache_on_lost(catalog->cache, NULL, NULL);
	catalog->house.is_ending = true;
	uv_close((uv_handle_t *)&catalog->house.sweep, closed);
	uv_close((uv_handle_t *)&catalog->house.minute, closed);
	uv_close((uv_handle_t *)&catalog->house.wiping, closed);
}
