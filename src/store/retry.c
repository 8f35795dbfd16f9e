/* SPDX-License-Identifier: MIT */
/* strptime() reads English names, as HTTP writes them, because no locale is ever set. */

#include <string.h>
#include <time.h>

#include "kapturefs/store/retry.h"

enum {
	PAUSE_FIRST_MS = 200,
	PAUSE_MAX_MS = 5000,
};

uint64_t retry_pause_ms(uint32_t tries, uint16_t random)
{
	uint64_t pause_ms = PAUSE_FIRST_MS;

	for (uint32_t i = 1; i < tries && pause_ms < PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	if (pause_ms > PAUSE_MAX_MS)
		pause_ms = PAUSE_MAX_MS;
	return pause_ms / 2 + pause_ms / 2 * random / UINT16_MAX;
}

static bool read_seconds(const char *value, uint64_t *ret)
{
	uint64_t seconds = 0;

	if (!*value || value[strspn(value, "0123456789")])
		return false;
	for (; *value; value++) {
		/* Enough is enough; more would overflow. */
		if (seconds < RETRY_AFTER_MAX_MS)
			seconds = seconds * 10 + (uint64_t)(*value - '0');
	}
	*ret = seconds * 1000;
	return true;
}

static bool read_date(const char *value, int64_t now_ms, uint64_t *ret)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y",
	};

	for (size_t i = 0; i < array_length(forms); i++) {
		struct tm parts = { 0 };
		const char *end = strptime(value, forms[i], &parts);
		int64_t date_ms;

		if (!end || *end)
			continue;
		date_ms = (int64_t)timegm(&parts) * 1000;
		*ret = date_ms > now_ms ? (uint64_t)(date_ms - now_ms) : 0;
		return true;
	}
	return false;
}

bool retry_after_ms(const char *value, int64_t now_ms, uint64_t *ret)
{
	uint64_t wait_ms;

	if (!read_seconds(value, &wait_ms) && !read_date(value, now_ms, &wait_ms))
		return false;
	*ret = wait_ms < RETRY_AFTER_MAX_MS ? wait_ms : RETRY_AFTER_MAX_MS;
	return true;
}
