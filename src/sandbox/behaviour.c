/* SPDX-License-Identifier: MIT */

#include <stdlib.h>
#include <string.h>

#include "kapturefs/sandbox/behaviour.h"

enum { STATUS_OK = 200 };

void behaviour_free(struct behaviour *behaviour)
{
	if (!behaviour)
		return;
	free(behaviour->key);
	free(behaviour->body);
	free(behaviour);
}

static struct behaviour *behaviour_of(struct list *link)
{
	return container_of(link, struct behaviour, link);
}

void behaviours_init(struct behaviours *behaviours)
{
	list_init(&behaviours->list);
}

static void drop(struct behaviour *behaviour)
{
	list_remove(&behaviour->link);
	behaviour_free(behaviour);
}

void behaviours_clear(struct behaviours *behaviours)
{
	while (!list_is_empty(&behaviours->list))
		drop(behaviour_of(behaviours->list.next));
}

void behaviours_add(struct behaviours *behaviours, struct behaviour *behaviour)
{
	list_insert_before(&behaviours->list, &behaviour->link);
}

static struct behaviour *find(struct behaviours *behaviours, const struct key *key)
{
	for (struct list *link = behaviours->list.next; link != &behaviours->list;
	     link = link->next) {
		struct behaviour *behaviour = behaviour_of(link);

		if (!behaviour->key || (key && strcmp(behaviour->key, key->text) == 0))
			return behaviour;
	}
	return NULL;
}

int behaviours_apply(struct behaviours *behaviours, const struct key *key, struct answer *answer,
                     bool *ret_overruled)
{
	struct behaviour *behaviour = find(behaviours, key);
	int r = 0;

	*ret_overruled = behaviour && (behaviour->status || behaviour->body);
	if (!behaviour)
		return 0;

	answer->is_withheld = behaviour->is_hanging;
	if (behaviour->is_delayed)
		answer->delay_ms = behaviour->delay_ms;
	if (*ret_overruled)
		r = answer_say(answer, behaviour->status ? behaviour->status : STATUS_OK,
		               behaviour->body ? behaviour->body : "", behaviour->body_length);
	if (behaviour->is_counted && --behaviour->count == 0)
		drop(behaviour);
	return r;
}
