/* SPDX-License-Identifier: MIT */
/*
 * The part of tree that shows by-date: a directory for each day, with a link for each customer who
 * was created on it.
 *
 * A day is like any key: looking it up asks the API when it is not known, and going into it also
 * when what is known has expired. Every day of the calendar can be looked up but those that have
 * begun nowhere yet, and nothing else.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/fs/tree_parts.h"
#include "kapturefs/model/date.h"

#define LINK_PREFIX "../../by-id/"

enum { LINK_VALID_MS = 1000 };

bool tree_has_days(const struct tree *tree)
{
	return *catalog_account(tree->catalog) != '\0';
}

static int32_t day_of(const struct key *key)
{
	int32_t day = 0;

	/* A key is as key_parse() has made it. */
	(void)!date_parse(key->text, strlen(key->text), &day);
	return day;
}

int64_t tree_day_starts_in_ms(const struct tree *tree, const struct key *key)
{
	return date_begins_ms(day_of(key)) - catalog_now_ms(tree->catalog);
}

/* Finding */

static int find(struct tree *tree, struct tree_query *query, const struct key *key, bool of_any_age,
                struct catalog_day *ret)
{
	struct catalog_question question = query->question;
	int r;

	question.of_any_age = of_any_age;
	r = catalog_find_day(tree->catalog, key, &question, ret);
	if (r == CATALOG_MISSING) {
		query->wanted = *key;
		return TREE_MISSING;
	}
	return r == CATALOG_ABSENT ? -EIO : r;
}

int tree_find_day(struct tree *tree, struct tree_query *query, uint32_t slot, bool of_any_age,
                  struct catalog_day *ret)
{
	struct cache_key key;
	int r;

	r = tree_key_now(tree, slot, &key);
	if (!r)
		r = find(tree, query, &key.key, of_any_age, ret);
	if (r)
		return r;
	/* Forgotten and found again, it is another directory. */
	return ret->key.slot == slot ? 0 : -ESTALE;
}

int tree_day_now(struct tree *tree, uint32_t slot, struct catalog_day *ret)
{
	int r = catalog_known_day(tree->catalog, slot, ret);

	return r == CATALOG_ABSENT ? -ESTALE : r;
}

/* Attributes */

static void fill_day(const struct catalog_day *day, struct tree_attributes *ret)
{
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_DAY, day->key.slot, 0)),
		.type = S_IFDIR,
		.links = 1,
		.changed_ms = day->changed_ms,
		.valid_ms = day->valid_ms,
		.is_expired = day->is_stale,
	};
}

/*
 * Who is there was there from the day itself on, whenever that was found out. The kernel follows a
 * link without asking for its attributes, so it may not believe in one for long.
 */
int tree_fill_day_link(const struct catalog_day *day, uint32_t place, struct tree_attributes *ret)
{
	const char *id = roster_at(day->roster, place);
	if (!id)
		return -ESTALE;
	*ret = (struct tree_attributes){
		.number = node_pack(node_of(NODE_DAY, day->key.slot, place)),
		.type = S_IFLNK,
		.links = 1,
		.size = strlen(LINK_PREFIX) + strlen(id),
		.changed_ms = date_midnight_ms(day_of(&day->key.key)),
		.valid_ms = day->valid_ms < LINK_VALID_MS ? day->valid_ms : LINK_VALID_MS,
	};
	return 0;
}

/* The questions of tree.h */

int tree_lookup_day(struct tree *tree, struct tree_query *query, const char *name,
                    struct tree_attributes *ret)
{
	struct catalog_day day;
	struct key key;
	int64_t left_ms;
	int r;

	if (!tree_has_days(tree))
		return -ESTALE;
	if (key_parse(KEY_DATE, name, strlen(name), &key))
		return tree_absent_for(VALID_FOREVER_MS, ret);
	left_ms = tree_day_starts_in_ms(tree, &key);
	if (left_ms > 0)
		return tree_absent_for((uint64_t)left_ms, ret);

	r = find(tree, query, &key, true, &day);
	if (!r)
		fill_day(&day, ret);
	return r;
}

int tree_lookup_in_day(struct tree *tree, struct tree_query *query, struct node node,
                       const char *name, struct tree_attributes *ret)
{
	struct catalog_day day;
	struct key id;
	uint32_t place;
	int r;

	if (node.ordinal)
		return -ENOTDIR;
	/* A link has one name, so other spellings of it are nobody's. */
	if (key_parse(KEY_ID, name, strlen(name), &id) || !key_is_spelled(&id, name, strlen(name)))
		return tree_absent_for(VALID_FOREVER_MS, ret);
	r = tree_find_day(tree, query, node.slot, false, &day);
	if (r)
		return r;
	place = roster_find(day.roster, id.text, strlen(id.text));
	return place ? tree_fill_day_link(&day, place, ret) : tree_absent_for(0, ret);
}

int tree_stat_day(struct tree *tree, struct tree_query *query, struct node node,
                  struct tree_attributes *ret)
{
	struct catalog_day day;
	int r;

	r = tree_find_day(tree, query, node.slot, node.ordinal == 0, &day);
	if (r)
		return r;
	if (node.ordinal)
		return tree_fill_day_link(&day, node.ordinal, ret);
	fill_day(&day, ret);
	return 0;
}

int tree_readlink_day(struct tree *tree, struct node node, struct tree_bytes *ret)
{
	struct catalog_day day;
	const char *id;
	int r;

	if (!node.ordinal)
		return -EINVAL;
	r = tree_day_now(tree, node.slot, &day);
	if (r)
		return r;
	id = roster_at(day.roster, node.ordinal);
	if (!id)
		return -ESTALE;

	return tree_bytes_print(ret, LINK_PREFIX "%s", id);
}
