/* SPDX-License-Identifier: MIT */

#include <assert.h>

#include "kapturefs/model/node.h"

enum {
	ORDINAL_SHIFT = 29,
	VERSION_SHIFT = 49,
	KIND_SHIFT = 59,
};

static_assert(NODE_KINDS <= NODE_KIND_MAX, "the number of no node is left to be refused");

uint64_t node_pack(struct node node)
{
	assert(node.kind < NODE_KINDS);
	assert(node.slot > 0 && node.slot <= NODE_SLOT_MAX);
	assert(node.ordinal <= NODE_ORDINAL_MAX);
	assert(node.version <= NODE_VERSION_MAX);

	return (uint64_t)node.kind << KIND_SHIFT | (uint64_t)node.version << VERSION_SHIFT |
	       (uint64_t)node.ordinal << ORDINAL_SHIFT | node.slot;
}

uint64_t node_inode(uint64_t number)
{
	return number & ~((uint64_t)NODE_VERSION_MAX << VERSION_SHIFT);
}

bool node_unpack(uint64_t number, struct node *ret)
{
	struct node node = {
		.slot = (uint32_t)number & NODE_SLOT_MAX,
		.ordinal = (uint32_t)(number >> ORDINAL_SHIFT) & NODE_ORDINAL_MAX,
		.version = (uint16_t)(number >> VERSION_SHIFT) & NODE_VERSION_MAX,
	};

	if (node.slot == 0 || number >> KIND_SHIFT >= NODE_KINDS)
		return false;

	node.kind = (enum node_kind)(number >> KIND_SHIFT);
	*ret = node;
	return true;
}
