/* SPDX-License-Identifier: MIT */
/* The part of tree that shows values that were replaced, to whoever reads them. */

#include <sys/stat.h>

#include "kapturefs/base/clock.h"
#include "kapturefs/fs/tree_parts.h"

void tree_answer_changed(struct tree *tree, const struct cache_change *change)
{
	if (change->is_forgotten)
		superseded_forget(tree->superseded, change->customer.slot);
	else if (change->previous && (change->values || !change->customer.record))
		superseded_add(tree->superseded, change->customer.slot, change->previous,
		               change->at_once, clock_ms());
}

bool tree_keeps(const struct tree *tree, uint32_t customer, uint32_t ordinal, uint16_t version)
{
	/* What is a directory has a version of the customer's JSON. */
	struct node node = { ordinal ? NODE_FIELD : NODE_JSON, customer, ordinal, version };

	return superseded_find(tree->superseded, &node);
}

/*
 * Who has a value open that was replaced goes on in what it was. Who comes by its path does not: he
 * is sent back to look the path up again, and finds what it is now. But who looks at what he has
 * just opened, as cat does, looks like that, too: so what was replaced a moment ago will do for
 * him, and for whoever has not waited for what replaced it.
 */
static struct record *find_replaced(const struct tree *tree, const struct tree_query *query,
                                    const struct node *node, bool by_descriptor)
{
	if (by_descriptor)
		return superseded_find(tree->superseded, node);
	if (query->question.waited && !query->is_opening)
		return NULL;
	return superseded_find_young(tree->superseded, node, clock_ms() - TREE_OPENING_MS);
}

/* A record that was replaced has values that were not. */
static bool is_present(struct tree *tree, const struct node *node)
{
	struct cache_customer customer;
	bool is_present;

	if (tree_customer_now(tree, node->slot, &customer))
		return false;
	is_present = view_shows(customer.record, node);
	record_unref(customer.record);
	return is_present;
}

bool tree_stat_replaced(struct tree *tree, const struct tree_query *query, const struct node *node,
                        bool by_descriptor, struct tree_attributes *ret)
{
	const struct record *record = find_replaced(tree, query, node, by_descriptor);
	const struct member *member;
	size_t json_length;

	if (!record || is_present(tree, node))
		return false;
	member = record_by_ordinal(record, node->ordinal);
	record_json(record, &json_length);
	*ret = (struct tree_attributes){
		.number = node_pack(*node),
		.type = S_IFREG,
		.links = 1,
		.size = node->kind == NODE_JSON ? json_length : member->value_length,
		.changed_ms = member->changed_ms,
	};
	return true;
}
