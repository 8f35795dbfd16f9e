#pragma once
/* SPDX-License-Identifier: MIT */
/* An intrusive, circular, doubly linked list. An unlinked item points at itself. */

#include <stdbool.h>

struct list {
	struct list *next;
	struct list *previous;
};

static inline void list_init(struct list *list)
{
	list->next = list;
	list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

/** Link @item, which must be unlinked, before @place; before the head means last. */
static inline void list_insert_before(struct list *place, struct list *item)
{
	item->next = place;
	item->previous = place->previous;
	place->previous->next = item;
	place->previous = item;
}

/** Unlink @item; nothing happens if it is not linked. */
static inline void list_remove(struct list *item)
{
	item->previous->next = item->next;
	item->next->previous = item->previous;
	list_init(item);
}

/** Link @item, which may be linked, before @place, which is another; before the head means last. */
static inline void list_move_before(struct list *place, struct list *item)
{
	list_remove(item);
	list_insert_before(place, item);
}
