#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Inode numbers as arithmetic: kind, slot and ordinal packed in 64 bits.
 *
 *   63     58 57             32 31              0
 *   +--------+-----------------+----------------+
 *   |  kind  |     ordinal     |      slot      |
 *   +--------+-----------------+----------------+
 *
 * A slot is never 0, so no number is 0 and none has 32 low bits of zero (some
 * programs truncate). The root is 1, as FUSE wants it.
 */

#include <stdbool.h>
#include <stdint.h>

enum node_kind {
	NODE_ROOT,         /* slot 1 */
	NODE_KEYS,         /* by-id, by-phone, by-email: slot is the kind of key + 1 */
	NODE_DIRECTORY,    /* of the key's slot, the record's ordinal: 0 is the customer */
	NODE_FIELD,        /* of the customer's slot, the record's ordinal */
	NODE_PRIMARY,      /* of the customer's slot: contacts/primary */
	NODE_JSON,         /* of the customer's slot */
	NODE_META,         /* of the key's slot */
	NODE_KEY_LINK,     /* of the key's slot: another spelling of the key */
	NODE_JSON_LINK,    /* another spelling of <key>.json */
	NODE_META_LINK,    /* another spelling of <key>.meta */
	NODE_CONTROL,      /* .kapturefs: slot 1 */
	NODE_CONTROL_FILE, /* slot is the file's place in the table + 1 */
	NODE_KINDS,
};

#define NODE_SLOT_MAX    UINT32_MAX
#define NODE_ORDINAL_MAX ((UINT32_C(1) << 26) - 1)

struct node {
	enum node_kind kind;
	uint32_t slot;
	uint32_t ordinal;
};

/** The number of @node, whose slot is at least 1 and ordinal at most NODE_ORDINAL_MAX. */
uint64_t node_pack(struct node node);

/** Read @number into *@ret; false, *@ret untouched, if no node has that number. */
bool node_unpack(uint64_t number, struct node *ret);
