#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Nodes as arithmetic: kind, version, ordinal and slot packed in 64 bits.
 *
 *   63    59 58       49 48           29 28              0
 *   +-------+-----------+---------------+----------------+
 *   | kind  |  version  |    ordinal    |      slot      |
 *   +-------+-----------+---------------+----------------+
 *
 * A value that changes becomes another node, by its version, because the kernel must never put
 * the bytes of one beside the size of the other. The number that users see is the one without.
 *
 * A slot is never 0, so no number is 0 and none has 32 low bits of zero (some
 * programs truncate). The root is 1, as FUSE wants it.
 */

#include <stdbool.h>
#include <stdint.h>

enum node_kind {
	NODE_ROOT,         /* slot 1 */
	NODE_KEYS,         /* by-id, by-phone, by-email, by-date: slot is the kind of key + 1 */
	NODE_DIRECTORY,    /* of the key's slot, the record's ordinal: 0 is the customer */
	NODE_FIELD,        /* of the customer's slot, the record's ordinal */
	NODE_PRIMARY,      /* of the customer's slot: contacts/primary */
	NODE_JSON,         /* of the customer's slot */
	NODE_META,         /* of the key's slot */
	NODE_KEY_LINK,     /* of the key's slot: another spelling of the key, by its ordinal */
	NODE_JSON_LINK,    /* another spelling of <key>.json */
	NODE_META_LINK,    /* another spelling of <key>.meta */
	NODE_CONTROL,      /* .kapturefs: slot 1 */
	NODE_CONTROL_FILE, /* slot is the file's place in the table + 1 */
	NODE_MARKER,       /* a file of the root: slot is its place in the table + 1 */
	NODE_FOLDER,       /* export, search: slot is its place in the table + 1 */
	NODE_EXPORT_FILE,  /* slot 1, the generation as ordinal */
	NODE_SEARCH,       /* likewise */
	NODE_DAY,          /* of the key's slot, a date's; or by its ordinal, a link in it */
	NODE_KINDS,
};

#define NODE_KIND_MAX    ((UINT32_C(1) << 5) - 1)
#define NODE_SLOT_MAX    ((UINT32_C(1) << 29) - 1)
#define NODE_ORDINAL_MAX ((UINT32_C(1) << 20) - 1)
#define NODE_VERSION_MAX ((UINT16_C(1) << 10) - 1)

/* The ordinals of a NODE_KEY_LINK: in the keys' own directory, or from elsewhere to an id. */
enum { NODE_LINK_SPELLING, NODE_LINK_TO_ID };

struct node {
	enum node_kind kind;
	uint32_t slot;
	uint32_t ordinal;
	uint16_t version;
};

/** A node that has only one version. */
static inline struct node node_of(enum node_kind kind, uint32_t slot, uint32_t ordinal)
{
	return (struct node){ .kind = kind, .slot = slot, .ordinal = ordinal };
}

/** The number of @node, whose slot is at least 1 and ordinal at most NODE_ORDINAL_MAX. */
uint64_t node_pack(struct node node);

/** The number that users see of the node @number: the same for all its versions. */
uint64_t node_inode(uint64_t number);

/** Read @number into *@ret; false, *@ret untouched, if no node has that number. */
bool node_unpack(uint64_t number, struct node *ret);
