/* SPDX-License-Identifier: MIT */
/*
 * The part of tree that finds customers by words.
 *
 * Each look at words makes a directory, or finds the one that was made for them if no customer with
 * the words has changed since: so what is in it never changes, and only its name has to be looked
 * up again. The search goes on when somebody lists it, step by step.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "kapturefs/fs/folder_parts.h"
#include "kapturefs/fs/tree_parts.h"

#define TO_ID "../../by-id/"

/* The search of generation g stands at g % SEARCHES. */
enum { SEARCHES = 128 };

/* How long whoever has not come to the end is waited for. */
enum { READING_MS = 10000 };

/* Spent on one reply to whoever lists: the rest is for the next. */
enum { LIST_NS_MAX = 500 * 1000 };

struct searches {
	uint32_t generation; /* of the next, at the least */
	struct searching {
		struct cache_search *search;
		uint32_t generation;
		int64_t changed_ms;
		int64_t used_ms;
		bool is_listed; /* not to its end yet */
	} all[SEARCHES];
};

int searches_new(struct searches **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void searches_free(struct searches *searches)
{
	if (!searches)
		return;

	for (size_t i = 0; i < SEARCHES; i++)
		cache_search_free(searches->all[i].search);
	free(searches);
}

static struct searching *recall(struct tree *tree, struct node node)
{
	struct searching *searching = &tree->searches->all[node.ordinal % SEARCHES];

	if (!searching->search || searching->generation != node.ordinal)
		return NULL;
	searching->used_ms = catalog_now_ms(tree->catalog);
	return searching;
}

static void fill(const struct searching *searching, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_SEARCH, 1, searching->generation)),
		.type = S_IFDIR,
		.links = 1,
		.changed_ms = searching->changed_ms,
		.valid_ms = VALID_FOREVER_MS,
		.is_fleeting = true,
	};
}

static bool is_held(const struct searching *searching, int64_t now_ms)
{
	return searching->is_listed && now_ms - searching->used_ms <= READING_MS;
}

/* Words that nobody waits for any more keep a lot for being looked for. */
static void drop_left(struct searches *searches, int64_t now_ms)
{
	for (size_t i = 0; i < SEARCHES; i++) {
		struct searching *searching = &searches->all[i];

		if (searching->is_listed && !is_held(searching, now_ms) &&
		    !cache_search_is_done(searching->search)) {
			cache_search_free(searching->search);
			*searching = (struct searching){ 0 };
		}
	}
}

/*
 * Where the next goes, or NULL. Whoever has a directory open looks its path up again and again, and
 * each look is another search where customers change: these go, the oldest first, and not the one
 * that is being listed.
 */
static struct searching *find_place(struct searches *searches, int64_t now_ms)
{
	struct searching *oldest = NULL;

	for (size_t i = 0; i < SEARCHES; i++) {
		struct searching *other = &searches->all[i];

		if (!is_held(other, now_ms) && (!oldest || other->used_ms < oldest->used_ms))
			oldest = other;
	}
	return oldest;
}

/* No generation comes twice, until all have been there. */
static uint32_t next_generation(struct searches *searches, const struct searching *searching)
{
	uint32_t place = (uint32_t)(searching - searches->all);
	uint32_t ahead = (place + SEARCHES - searches->generation % SEARCHES) % SEARCHES;
	uint32_t generation = (searches->generation + ahead) & NODE_ORDINAL_MAX;

	searches->generation = (generation + 1) & NODE_ORDINAL_MAX;
	return generation;
}

static int begin(struct tree *tree, const char *words, struct searching **ret)
{
	int64_t now_ms = catalog_now_ms(tree->catalog);
	struct cache_search *search;
	struct searching *searching;
	int r;

	drop_left(tree->searches, now_ms);
	searching = find_place(tree->searches, now_ms);
	if (!searching)
		return -EBUSY;
	r = catalog_search(tree->catalog, words, &search);
	if (r)
		return r;
	cache_search_free(searching->search);
	*searching = (struct searching){
		.search = search,
		.generation = next_generation(tree->searches, searching),
		.changed_ms = catalog_search_ms(tree->catalog),
	};
	*ret = searching;
	return 0;
}

int search_lookup_words(struct tree *tree, const char *words, struct tree_attributes *ret)
{
	struct searching *searching = NULL;
	int r = 0;

	for (size_t i = 0; i < SEARCHES && !searching; i++) {
		struct searching *there = &tree->searches->all[i];

		if (there->search && catalog_search_is_of(tree->catalog, there->search, words))
			searching = there;
	}
	if (!searching)
		r = begin(tree, words, &searching);
	if (r)
		return r;
	searching->used_ms = catalog_now_ms(tree->catalog);
	fill(searching, ret);
	return 0;
}

int search_stat(struct tree *tree, struct node node, struct tree_attributes *ret)
{
	const struct searching *searching = recall(tree, node);

	if (!searching)
		return -ESTALE;
	fill(searching, ret);
	return 0;
}

/* Links */

static void fill_link(const struct cache_key *id, int64_t changed_ms, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_KEY_LINK, id->slot, NODE_LINK_TO_ID)),
		.type = S_IFLNK,
		.links = 1,
		.size = strlen(TO_ID) + strlen(id->key.text),
		.changed_ms = changed_ms,
		.valid_ms = VALID_FOREVER_MS,
	};
}

int search_lookup(struct tree *tree, struct node node, const char *name,
                  struct tree_attributes *ret)
{
	const struct searching *searching = recall(tree, node);
	size_t length = strlen(name);
	struct cache_key id;
	struct key key;
	int r;

	if (!searching)
		return -ESTALE;
	if (key_parse(KEY_ID, name, length, &key) || !key_is_spelled(&key, name, length))
		return tree_absent_for(VALID_FOREVER_MS, ret);
	r = catalog_search_find(tree->catalog, searching->search, &key, &id);
	if (r)
		return r < 0 ? r : tree_absent_for(0, ret);
	fill_link(&id, tree->started_ms, ret);
	return 0;
}

int search_stat_link(struct tree *tree, struct node node, struct tree_attributes *ret)
{
	struct cache_key id;
	int r;

	r = tree_key_now(tree, node.slot, &id);
	if (!r)
		fill_link(&id, tree->started_ms, ret);
	return r;
}

int search_readlink(struct tree *tree, struct node node, struct tree_bytes *ret)
{
	struct cache_key id;
	int r;

	r = tree_key_now(tree, node.slot, &id);
	if (r)
		return r;
	return tree_bytes_print(ret, TO_ID "%s", id.key.text);
}

int search_list(struct tree *tree, struct node node, size_t place, folder_entry_fn *emit,
                void *userdata)
{
	struct searching *searching = recall(tree, node);
	struct tree_attributes attributes;
	uint64_t start_ns = uv_hrtime();
	bool has_emitted = false;
	const uint32_t *found;
	struct cache_key id;
	size_t count;
	int r;

	if (!searching)
		return -ESTALE;
	searching->is_listed = true;
	r = catalog_search_step(tree->catalog, searching->search);
	if (r)
		return r < 0 ? r : TREE_BUSY;

	found = cache_search_found(searching->search, &count);
	for (; place < count; place++) {
		if (has_emitted && uv_hrtime() - start_ns > LIST_NS_MAX)
			break;
		r = catalog_id(tree->catalog, found[place], &id);
		if (r < 0)
			return r;
		/* Forgotten meanwhile. */
		if (r)
			continue;
		fill_link(&id, tree->started_ms, &attributes);
		if (!emit(userdata, id.key.text, &attributes, place))
			break;
		has_emitted = true;
	}
	searching->is_listed = place < count;
	return 0;
}
