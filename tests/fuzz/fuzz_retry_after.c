/* SPDX-License-Identifier: MIT */
/* A Retry-After header, behind two bytes for the day that it is looked at. */

#include "fuzz.h"
#include "kapturefs/store/retry.h"

#define DAY_MS INT64_C(86400000)

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* The same by another way: the digits behind the zeros tell how large it is. */
static uint64_t seconds_as_ms(const char *text)
{
	text += strspn(text, "0");
	if (strlen(text) > 3)
		return RETRY_AFTER_MAX_MS;
	return strtoull(*text ? text : "0", NULL, 10) * 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct input input = { bytes, length };
	int64_t now_ms = input_number(&input) * DAY_MS;
	cleanup(free_text) char *value = input_copy(&input, true);
	uint64_t wait_ms = UINT64_MAX;
	uint64_t later_ms = UINT64_MAX;

	if (!retry_after_ms(value, now_ms, &wait_ms)) {
		assert_false(is_number(value));
		assert_true(wait_ms == UINT64_MAX);
		return 0;
	}
	assert_true(wait_ms <= RETRY_AFTER_MAX_MS);
	if (is_number(value)) {
		uint64_t expected_ms = seconds_as_ms(value);

		assert_true(wait_ms ==
		            (expected_ms < RETRY_AFTER_MAX_MS ? expected_ms : RETRY_AFTER_MAX_MS));
	}
	/* Whatever it says, later there is no more to wait. */
	assert_true(retry_after_ms(value, now_ms + DAY_MS, &later_ms));
	assert_true(later_ms <= wait_ms);
	return 0;
}
