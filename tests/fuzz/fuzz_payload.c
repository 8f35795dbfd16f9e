/* SPDX-License-Identifier: MIT */
/*
 * Replies of the API, up to three separated by 0xff bytes, which no JSON has: each is judged, and
 * customers are settled one against the other as if one had followed the other.
 */

#include <errno.h>

#include "fuzz.h"
#include "records.h"
#include "kapturefs/model/json.h"
#include "kapturefs/model/payload.h"
#include "kapturefs/model/payload_page.h"

enum {
	NOW_MS = 1700000000,
	REPLIES_MAX = 3,
	ID_LENGTH_MAX = 20,
};

static bool passes_gate(const char *body, size_t length)
{
	struct json_scan scan;
	size_t offset = SIZE_MAX;
	int r = json_scan(body, length, &scan, &offset);

	if (r == -EFBIG)
		return true;
	if (r) {
		assert_int_equal(r, -EPROTO);
		assert_true(offset <= length);
		return false;
	}
	assert_int_equal(strlen(scan.armoured.data), scan.armoured.length);
	for (size_t i = 0; i < scan.member_count; i++)
		assert_true(scan.members[i].start + scan.members[i].length <= length);
	json_scan_fini(&scan);
	return true;
}

/* A value is what was sent and one newline; names can be names of files. */
static void assert_presentable(const struct record *record)
{
	const struct member *member;

	for (uint32_t i = 0; (member = record_member(record, i)); i++) {
		if (i > 0) {
			assert_in_range(member->name_length, 1, 255);
			assert_null(strchr(member->name, '/'));
			assert_string_not_equal(member->name, ".");
			assert_string_not_equal(member->name, "..");
		}
		if (member->value_length)
			assert_int_equal(member->value[member->value_length - 1], '\n');
		if (member->type == MEMBER_TRUE)
			assert_string_equal(member->value, "true\n");
		if (member->type == MEMBER_NULL || member_is_directory(member))
			assert_int_equal(member->value_length, 0);
	}
}

static void check_customer(struct record *record, const char *body, size_t length)
{
	const char *id = record_id(record);
	size_t json_length;
	const char *json = record_json(record, &json_length);

	assert_in_range(strlen(id), 1, ID_LENGTH_MAX);
	assert_int_equal(strspn(id, "0123456789"), strlen(id));
	assert_sound(record);
	assert_presentable(record);
	/* The object as sent stands in the reply, but for the newline. */
	assert_int_equal(json[json_length - 1], '\n');
	assert_non_null(memmem(body, length, json, json_length - 1));
	assert_survives(record);
}

/* The same reply as a page of customers: whom it shows is in the roster, which text brings back. */
static void check_page(const char *body, size_t length, bool is_json)
{
	static const struct payload_page_question question = { .account = "1000298" };
	struct roster roster = { 0 };
	struct roster again = { 0 };
	struct payload_page page;
	struct buffer text;

	assert_int_equal(payload_read_page(body, length, &question, &roster, &page), 0);
	assert_true(is_json || page.verdict == PAYLOAD_MALFORMED);
	assert_int_equal(page.verdict >= PAYLOAD_MALFORMED, page.complaint != NULL);
	assert_int_equal(page.verdict == PAYLOAD_FOUND, page.count > 0);
	assert_true(page.count_new <= page.count);
	if (page.verdict == PAYLOAD_FOUND || page.verdict == PAYLOAD_ABSENT)
		assert_int_equal(page.count_new, roster.present);

	buffer_init(&text, 64 << 20);
	assert_int_equal(roster_write(&roster, &text), 0);
	assert_int_equal(roster_read(text.data, text.length, &again), 0);
	assert_int_equal(again.present, roster.present);
	buffer_fini(&text);
	roster_fini(&again);
	roster_fini(&roster);
}

static struct record *read_reply(const struct input *reply)
{
	cleanup(free_text) char *body = input_copy(reply, false);
	cleanup(payload_fini) struct payload payload = { 0 };
	bool is_json = passes_gate(body, reply->length);

	assert_int_equal(payload_read(body, reply->length, NULL, &payload), 0);
	assert_true(is_json || payload.verdict == PAYLOAD_MALFORMED);
	assert_int_equal(payload.verdict == PAYLOAD_FOUND, payload.record != NULL);
	assert_int_equal(payload.verdict >= PAYLOAD_MALFORMED, payload.complaint != NULL);
	if (payload.record)
		check_customer(payload.record, body, reply->length);
	check_page(body, reply->length, is_json);
	return steal(&payload.record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	cleanup(record_unrefp) struct record *previous = NULL;
	struct input input = { bytes, length };

	for (int i = 0; i < REPLIES_MAX && (i == 0 || input.length); i++) {
		struct input reply = input_until(&input, 0xff);
		struct record *record = read_reply(&reply);
		bool has_changed;
		int r;

		if (!record)
			continue;
		r = record_settle(record, previous,
		                  &(struct record_moment){ .now_ms = NOW_MS + i * 1000 },
		                  &has_changed);
		assert_int_equal(r, 0);
		assert_true(previous || has_changed);
		assert_sound(record);
		assert_survives(record);
		record_unref(previous);
		previous = record;
	}
	return 0;
}
