/* SPDX-License-Identifier: MIT */
/*
 * The endpoint that the vendor's page "Pull Customer API by Date Range" documents, but for the
 * shape of its answer, which is made up after those of its siblings.
 *
 * The days are those of the customers' generationDate. From one day to the next is one day, and so
 * is from a day to itself.
 */

#include <string.h>

#include "kapturefs/sandbox/message.h"
#include "kapturefs/sandbox/state.h"

enum {
	STATUS_OK = 200,
	DAY_SECONDS = 86400,
};

bool days_are_asked(const char *method, const char *path)
{
	return strcmp(method, "POST") == 0 &&
	       strcmp(path, "/select-customer-between-start-and-end-dates.html") == 0;
}

static bool is_created_in(const struct customers *customers, uint32_t index,
                          const struct message_range *range)
{
	int64_t day = generator_created(&customers->generator, index) / DAY_SECONDS;

	return day >= range->first && (day < range->last || day == range->first) &&
	       !customers_is_deleted(customers, index);
}

static int write_page(const struct customers *customers, const struct message_range *range,
                      struct buffer *body, uint64_t *ret_count)
{
	uint64_t seen = 0;
	uint64_t count = 0;
	int r = 0;

	for (uint32_t index = 0;
	     !r && index < customers->generator.customers && count < range->limit; index++) {
		if (!is_created_in(customers, index, range) || seen++ < range->offset)
			continue;
		r = count++ ? buffer_append_text(body, ",") : 0;
		if (!r)
			r = customers_write(customers, index, body);
	}
	*ret_count = count;
	return r;
}

static int answer_page(struct state *state, const struct message_range *range,
                       struct answer *answer)
{
	uint64_t count = 0;
	int r;

	r = buffer_append_text(&answer->body, "{\"message\": [");
	if (!r)
		r = write_page(&state->customers, range, &answer->body, &count);
	if (!r)
		r = buffer_append_text(&answer->body, "],\"status\": \"success\"}");
	if (count)
		state->statistics.found++;
	else
		state->statistics.absent++;
	return r;
}

int days_answer(struct state *state, const struct request *request, struct answer *answer)
{
	static const char too_long[] =
	        "{\"message\": \"Date range is more than 24 hours\",\"status\": \"failed\"}";
	struct message_range range;
	int r;

	r = message_read_range(request->body.data, request->body.length, &range);
	if (r < 0)
		return r;
	if (r || range.account != generator_account(&state->customers.generator)) {
		state->statistics.mistaken++;
		return answer_mistaken(answer, NULL);
	}
	if (range.last - range.first > 1) {
		state->statistics.mistaken++;
		return answer_say(answer, STATUS_OK, too_long, strlen(too_long));
	}
	return answer_page(state, &range, answer);
}
