/* SPDX-License-Identifier: MIT */
/*
 * Nothing here may take longer than sorting does: the parser's members are a
 * linked list, which is walked once and never searched in a loop.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "payload_listing.h"

void listing_fini(struct listing *listing)
{
	free(listing->items);
	free(listing->names);
	free(listing->sorted);
}

const cJSON *payload_last_member(const cJSON *object, const char *name)
{
	const cJSON *found = NULL;

	if (!cJSON_IsObject(object))
		return NULL;
	for (const cJSON *item = object->child; item; item = item->next) {
		if (strcmp(item->string, name) == 0)
			found = item;
	}
	return found;
}

static struct named name_of(const char *name, uint32_t index)
{
	return (struct named){
		.name = name,
		.length = name ? (uint32_t)strlen(name) : 0,
		.index = index,
	};
}

static void list_items(const cJSON *directory, struct listing *listing)
{
	uint32_t i = 0;

	for (cJSON *item = directory->child; item; item = item->next, i++) {
		const char *name = cJSON_IsObject(directory) ? item->string : NULL;

		listing->items[i] = item;
		listing->names[i] = name_of(name, i);
	}
}

int listing_init(struct listing *listing, const cJSON *directory)
{
	for (const cJSON *item = directory->child; item; item = item->next)
		listing->count++;
	if (!listing->count)
		return 0;

	listing->items = calloc(listing->count, sizeof(*listing->items));
	listing->names = calloc(listing->count, sizeof(*listing->names));
	listing->sorted = calloc(listing->count, sizeof(*listing->sorted));
	if (!listing->items || !listing->names || !listing->sorted)
		return -ENOMEM;

	list_items(directory, listing);
	return 0;
}

static void sort_listing(struct listing *listing)
{
	memcpy(listing->sorted, listing->names, listing->count * sizeof(*listing->names));
	names_sort(listing->sorted, listing->count);
}

bool listing_is_repeated(const struct named *sorted, uint32_t count, uint32_t place)
{
	return place + 1 < count &&
	       names_compare(sorted[place].name, sorted[place].length, sorted[place + 1].name,
	                     sorted[place + 1].length) == 0;
}

void listing_drop_repeated(struct listing *listing)
{
	uint32_t kept = 0;

	sort_listing(listing);
	for (uint32_t i = 0; i < listing->count; i++) {
		if (listing_is_repeated(listing->sorted, listing->count, i))
			listing->items[listing->sorted[i].index] = NULL;
	}

	for (uint32_t i = 0; i < listing->count; i++) {
		if (!listing->items[i])
			continue;
		listing->items[kept] = listing->items[i];
		listing->names[kept++] = listing->names[i];
	}
	listing->count = kept;
}

/* The text of an element's id, armoured; NULL if it has none that tells it from others. */
static const char *element_id(const cJSON *element)
{
	const cJSON *id = payload_last_member(element, "id");

	return id && cJSON_IsString(id) && id->valuestring[1] ? id->valuestring + 1 : NULL;
}

void listing_name_elements(struct listing *listing)
{
	bool is_distinct = true;

	for (uint32_t i = 0; i < listing->count && is_distinct; i++) {
		const char *id = element_id(listing->items[i]);

		if (id)
			listing->names[i] = name_of(id, i);
		is_distinct = id;
	}
	if (is_distinct)
		sort_listing(listing);
	for (uint32_t i = 0; i < listing->count && is_distinct; i++)
		is_distinct = !listing_is_repeated(listing->sorted, listing->count, i);

	for (uint32_t i = 0; i < listing->count && !is_distinct; i++)
		listing->names[i] = name_of(NULL, i);
}
