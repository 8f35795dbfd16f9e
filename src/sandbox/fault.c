/* SPDX-License-Identifier: MIT */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/model/json_writer.h"
#include "kapturefs/sandbox/dice.h"
#include "kapturefs/sandbox/fault.h"

enum {
	STATUS_OK = 200,
	HEADERS_SIZE_MAX = 1 << 20,
	COPIED_MAX = 1 << 16,    /* of a text that an answer says; what is larger is shared */
	PURPOSE_FAULT = 0xfa017, /* of the dice */
};

struct fault *fault_new(void)
{
	struct fault *fault = calloc(1, sizeof(*fault));

	if (!fault)
		return NULL;
	list_init(&fault->link);
	buffer_init(&fault->headers, HEADERS_SIZE_MAX);
	fault->probability = FAULT_CERTAIN;
	return fault;
}

void fault_free(struct fault *fault)
{
	if (!fault)
		return;
	buffer_fini(&fault->headers);
	free(fault->name);
	free(fault->key);
	free(fault->body);
	free(fault);
}

bool fault_is_honest(const struct fault *fault)
{
	return fault->content == CONTENT_HONEST && !fault->status;
}

static struct fault *fault_of(struct list *link)
{
	return container_of(link, struct fault, link);
}

void faults_init(struct faults *faults, uint64_t seed)
{
	*faults = (struct faults){ .seed = seed };
	list_init(&faults->list);
}

void faults_clear(struct faults *faults)
{
	while (!list_is_empty(&faults->list)) {
		struct fault *fault = fault_of(faults->list.next);

		list_remove(&fault->link);
		fault->is_forgotten = true;
		if (!fault->uses)
			fault_free(fault);
	}
	faults->added = 0;
}

void faults_add(struct faults *faults, struct fault *fault)
{
	fault->number = ++faults->added;
	fault->serial = ++faults->serial;
	list_insert_before(&faults->list, &fault->link);
}

void faults_add_all(struct faults *faults, struct faults *more)
{
	while (!list_is_empty(&more->list)) {
		struct fault *fault = fault_of(more->list.next);

		list_remove(&fault->link);
		faults_add(faults, fault);
	}
}

static bool is_at_its_end(const struct fault *fault)
{
	return fault->is_counted && fault->fired >= fault->count;
}

static bool is_meant(const struct fault *fault, const struct key *key)
{
	if (fault->key && !(key && strcmp(fault->key, key->text) == 0))
		return false;
	return !fault->word || (key && strcmp(fault->word, key_kind_facts(key->kind)->word) == 0);
}

/* Count one more, and say whether it is to be done to this one. */
static bool fires(const struct faults *faults, struct fault *fault)
{
	struct dice dice = dice_of(faults->seed ^ fault->number, PURPOSE_FAULT, fault->seen);

	if (fault->seen++ < fault->skip || is_at_its_end(fault) ||
	    dice_roll(&dice, FAULT_CERTAIN) >= fault->probability)
		return false;
	fault->fired++;
	return true;
}

struct fault *faults_choose(struct faults *faults, const struct key *key)
{
	for (struct list *link = faults->list.next; link != &faults->list; link = link->next) {
		struct fault *fault = fault_of(link);

		if (!fault->fate && is_meant(fault, key) && fires(faults, fault)) {
			fault->uses++;
			return fault;
		}
	}
	return NULL;
}

void faults_release(struct fault *fault)
{
	if (fault && --fault->uses == 0 && fault->is_forgotten)
		fault_free(fault);
}

enum fate faults_choose_fate(struct faults *faults)
{
	for (struct list *link = faults->list.next; link != &faults->list; link = link->next) {
		struct fault *fault = fault_of(link);

		if (fault->fate && fires(faults, fault))
			return fault->fate;
	}
	return FATE_SERVED;
}

uint64_t faults_connections_since(const struct faults *faults)
{
	uint64_t last = 0;

	for (struct list *link = faults->list.next; link != &faults->list; link = link->next) {
		const struct fault *fault = fault_of(link);

		if (fault->fate && !is_at_its_end(fault))
			last = fault->serial;
	}
	return last;
}

static int apply_content(const struct fault *fault, struct answer *answer)
{
	if (fault->status && fault->content == CONTENT_HONEST)
		return answer_say(answer, fault->status, "", 0);
	answer->status = fault->status ? fault->status : STATUS_OK;
	if (fault->content == CONTENT_BODY && fault->body_length > COPIED_MAX) {
		answer_borrow(answer, answer->status, fault->body, fault->body_length);
		return 0;
	}
	if (fault->content == CONTENT_BODY)
		return answer_say(answer, answer->status, fault->body, fault->body_length);
	return content_make(fault->content, fault->size, answer);
}

int fault_apply(const struct fault *fault, struct answer *answer)
{
	int r = 0;

	if (fault->is_delayed)
		answer->delay_ms = fault->delay_ms;
	answer->delivery = fault->delivery;
	if (!fault_is_honest(fault))
		r = apply_content(fault, answer);
	if (!r && fault->headers.length)
		r = buffer_append(&answer->headers, fault->headers.data, fault->headers.length);
	return r;
}

int faults_write(const struct faults *faults, struct buffer *buffer)
{
	const char *comma = "";
	int r = buffer_append_text(buffer, "[");

	for (struct list *link = faults->list.next; !r && link != &faults->list;
	     link = link->next) {
		const struct fault *fault = fault_of(link);

		r = buffer_print(buffer, "%s{\"number\":%" PRIu32 ",\"name\":", comma,
		                 fault->number);
		if (!r)
			r = json_append_string(buffer, fault->name ? fault->name : "",
			                       fault->name ? strlen(fault->name) : 0);
		if (!r)
			r = buffer_print(buffer, ",\"seen\":%" PRIu64 ",\"fired\":%" PRIu64 "}",
			                 fault->seen, fault->fired);
		comma = ",";
	}
	return r ? r : buffer_append_text(buffer, "]");
}
