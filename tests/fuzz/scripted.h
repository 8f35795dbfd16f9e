#pragma once
/* SPDX-License-Identifier: MIT */
/* A source whose fetches wait until the script answers them, in any order. */

#include "kapturefs/base/list.h"
#include "kapturefs/store/source.h"

struct script {
	struct source source;
	struct list fetches;
	size_t fetch_count;
	enum source_state state;
};

struct source_fetch {
	struct list link;
	struct script *script;
	struct key key;
	uint64_t sent;
	source_done_fn *done;
	void *userdata;
};

static inline int script_start(struct source *source, const struct source_question *question,
                               source_done_fn *done, void *userdata, struct source_fetch **ret)
{
	struct script *script = container_of(source, struct script, source);
	struct source_fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch)
		return -ENOMEM;
	fetch->script = script;
	fetch->key = question->key;
	fetch->sent = source_draw(source);
	fetch->done = done;
	fetch->userdata = userdata;
	list_insert_before(&script->fetches, &fetch->link);
	script->fetch_count++;
	*ret = fetch;
	return 0;
}

static inline uint64_t script_sent(const struct source_fetch *fetch)
{
	return fetch->sent;
}

static inline void script_free(struct source_fetch *fetch)
{
	list_remove(&fetch->link);
	fetch->script->fetch_count--;
	free(fetch);
}

static inline enum source_state script_state(struct source *source, enum key_kind kind,
                                             uint64_t caller)
{
	(void)kind;
	(void)caller;
	return container_of(source, struct script, source)->state;
}

static inline void script_hurry(struct source_fetch *fetch, enum source_hurry hurry)
{
	(void)fetch;
	(void)hurry;
}

static inline uint64_t script_epoch(struct source *source)
{
	(void)source;
	return 0;
}

static inline void script_init(struct script *script)
{
	static const struct source_operations operations = {
		.start = script_start,
		.sent = script_sent,
		.hurry = script_hurry,
		.free = script_free,
		.state = script_state,
		.epoch = script_epoch,
	};

	*script = (struct script){ .source.operations = &operations };
	list_init(&script->fetches);
}

/** The fetch at @place, which is less than their count. */
static inline struct source_fetch *script_fetch(const struct script *script, size_t place)
{
	struct list *link = script->fetches.next;

	while (place--)
		link = link->next;
	return container_of(link, struct source_fetch, link);
}

/** Answer, which frees it. */
static inline void script_answer(struct source_fetch *fetch, const struct source_answer *answer)
{
	fetch->done(fetch->userdata, answer);
}
