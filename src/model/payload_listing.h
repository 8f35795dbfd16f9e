#pragma once
/* SPDX-License-Identifier: MIT */
/* What the parser found in one object or array, and what it is called. */

#include <stdbool.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/record_parts.h"

struct cJSON;

struct listing {
	struct cJSON **items;
	struct named *names;  /* as sent, armoured; of an element without a name it is NULL */
	struct named *sorted; /* room to sort names in */
	uint32_t count;
};

/** List @directory in the zeroed *@listing, to be ended with listing_fini(). Returns 0 or -ENOMEM. */
int listing_init(struct listing *listing, const struct cJSON *directory) must_check;
void listing_fini(struct listing *listing);

/** Keep the last of the items with the same name, which is the one that counts. */
void listing_drop_repeated(struct listing *listing);

/** Name the elements of an array by their ids, if every one has its own. */
void listing_name_elements(struct listing *listing);

/** Whether the name at @place of @count sorted ones is the same as the one after it. */
bool listing_is_repeated(const struct named *sorted, uint32_t count, uint32_t place);

/** The last member of @object with @name, which counts; NULL if there is none or it is no object. */
const struct cJSON *payload_last_member(const struct cJSON *object, const char *name);
