/* SPDX-License-Identifier: MIT */
/*
 * The part of tree that finds customers by words.
 *
 * Each look at words makes a directory, or finds the one that was made for them if no customer has
 * changed since: so what is in it never changes, and only its name has to be looked up again. The
 * search goes on when somebody lists it, step by step.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/fs/folder_parts.h"
#include "kapturefs/fs/tree_parts.h"

#define TO_ID "../../by-id/"

/* The search of generation g stands at g % SEARCHES. */
enum { SEARCHES = 32 };

struct searches {
	uint32_t generation; /* of the next */
	struct searching {
		struct cache_search *search;
		uint32_t generation;
		int64_t made_ms;
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

	return searching->search && searching->generation == node.ordinal ? searching : NULL;
}

static void fill(const struct searching *searching, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_SEARCH, 1, searching->generation)),
		.type = S_IFDIR,
		.links = 1,
		.changed_ms = searching->made_ms,
		.valid_ms = VALID_FOREVER_MS,
		.is_fleeting = true,
	};
}

static int begin(struct tree *tree, const char *words, struct searching **ret)
{
	struct searches *searches = tree->searches;
	struct searching *searching = &searches->all[searches->generation % SEARCHES];
	struct cache_search *search;
	int r;

	r = catalog_search(tree->catalog, words, &search);
	if (r)
		return r;
	cache_search_free(searching->search);
	*searching = (struct searching){
		.search = search,
		.generation = searches->generation,
		.made_ms = catalog_now_ms(tree->catalog),
	};
	searches->generation = (searches->generation + 1) & NODE_ORDINAL_MAX;
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
	if (!r)
		fill(searching, ret);
	return r;
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
	fill_link(&id, searching->made_ms, ret);
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
	const uint32_t *found;
	struct cache_key id;
	size_t count;
	int r;

	if (!searching)
		return -ESTALE;
	r = catalog_search_step(tree->catalog, searching->search);
	if (r)
		return r < 0 ? r : TREE_BUSY;

	found = cache_search_found(searching->search, &count);
	for (; place < count; place++) {
		r = catalog_id(tree->catalog, found[place], &id);
		if (r < 0)
			return r;
		/* Forgotten meanwhile. */
		if (r)
			continue;
		fill_link(&id, searching->made_ms, &attributes);
		if (!emit(userdata, id.key.text, &attributes, place))
			break;
	}
	return 0;
}
