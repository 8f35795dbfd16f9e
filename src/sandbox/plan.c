/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kapturefs/sandbox/plan_parts.h"

int plan_complain(const struct reading *reading, const char *text)
{
	char place[32] = "";

	if (reading->number)
		snprintf(place, sizeof(place), "rule %zu: ", reading->number);
	snprintf(reading->complaint->text, sizeof(reading->complaint->text), "%s%.64s%s%s", place,
	         reading->member ? reading->member : "", reading->member ? ": " : "", text);
	return PLAN_INVALID;
}

static int read_member(struct reading *reading, const struct member *member)
{
	reading->member = member->name;
	for (size_t i = 0; i < plan_row_count; i++) {
		const struct row *row = &plan_rows[i];

		if (strcmp(row->name, member->name) != 0)
			continue;
		if (reading->seen & UINT64_C(1) << i)
			return plan_complain(reading, "is there twice");
		reading->seen |= UINT64_C(1) << i;
		if (!row->is_general)
			reading->of_requests = row->name;
		return row->read(reading, row, member);
	}
	return plan_complain(reading, "there is no such member");
}

/* What its members mean together. */
static int check(struct reading *reading)
{
	struct fault *fault = reading->fault;

	if (fault->fate && reading->of_requests) {
		reading->member = reading->of_requests;
		return plan_complain(reading, "means nothing to a connection");
	}
	if (fault->size && !content_has_size(fault->content)) {
		reading->member = "size";
		return plan_complain(reading, "means nothing without an answer that has one");
	}
	if (fault->delivery.drip_ms && !fault->delivery.drip_bytes)
		fault->delivery.drip_bytes = 1;
	return 0;
}

static int read_rule(const char *text, size_t length, struct reading *reading,
                     struct faults *faults)
{
	cleanup(members_fini) struct members members = { .items = NULL };
	cleanup(fault_freep) struct fault *fault = fault_new();
	int r;

	if (!fault)
		return -ENOMEM;
	reading->fault = fault;
	r = members_read(text, length, &members);
	if (r == MEMBERS_INVALID)
		return plan_complain(reading, "must be an object");
	for (size_t i = 0; !r && i < members.count; i++)
		r = read_member(reading, &members.items[i]);
	fault->is_empty = members.count == 0;
	if (!r)
		r = check(reading);
	if (!r)
		faults_add(faults, steal(&fault));
	return r;
}

static int read_rules(const char *text, size_t length, bool has_tls, struct faults *faults,
                      struct plan_complaint *complaint)
{
	cleanup(members_fini) struct members elements = { .items = NULL };
	struct reading whole = { .has_tls = has_tls, .complaint = complaint };
	int r;

	r = members_read_elements(text, length, &elements);
	if (r == MEMBERS_INVALID) {
		cleanup(members_fini) struct members rule = { .items = NULL };

		if (members_read(text, length, &rule) == MEMBERS_INVALID)
			return plan_complain(&whole, "must be a JSON array of rules");
		return read_rule(text, length, &whole, faults);
	}
	for (size_t i = 0; !r && i < elements.count; i++) {
		struct reading reading = {
			.number = i + 1,
			.has_tls = has_tls,
			.complaint = complaint,
		};

		r = read_rule(elements.items[i].value, elements.items[i].value_length, &reading,
		              faults);
	}
	return r;
}

int plan_read(const char *text, size_t length, bool has_tls, struct faults *faults,
              struct plan_complaint *ret_complaint)
{
	struct faults read;
	int r;

	faults_init(&read, 0);
	r = read_rules(text, length, has_tls, &read, ret_complaint);
	if (!r)
		faults_add_all(faults, &read);
	faults_clear(&read);
	return r;
}
