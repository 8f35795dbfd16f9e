/* SPDX-License-Identifier: MIT */
/*
 * Which token the answers came by: the property `token` is
 *
 *   32 hexadecimal digits   a random key, new each time it is written
 *   16 hexadecimal digits   SipHash of the token by that key
 *
 * or empty after a refusal. Of the token 64 bits are told at the most, and nothing that two caches
 * have in common.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "kapturefs/base/siphash.h"
#include "kapturefs/store/cache_parts.h"

enum { MARK_SIZE = 3 * 16 + 1 };

static void write_mark(struct siphash_key key, const char *token, char ret[MARK_SIZE])
{
	snprintf(ret, MARK_SIZE, "%016" PRIx64 "%016" PRIx64 "%016" PRIx64, key.words[0],
	         key.words[1], siphash(key, token, strlen(token)));
}

static int write_property(struct cache *cache, const void *arguments, int64_t now_ms,
                          struct cache_change *change)
{
	(void)now_ms;
	(void)change;
	return rows_write_property(cache, "token", arguments);
}

static int write_token(struct cache *cache, const char *mark)
{
	struct cache_change change;
	int r = cache_write(cache, write_property, mark, 0, &change);

	if (r)
		return r;
	cache_change_fini(&change);
	return 0;
}

bool cache_knows_token(struct cache *cache, const char *token)
{
	char known[PROPERTY_SIZE];
	char mark[MARK_SIZE];
	struct siphash_key key;

	if (rows_read_property(cache, "token", known) ||
	    sscanf(known, "%16" SCNx64 "%16" SCNx64, &key.words[0], &key.words[1]) != 2)
		return false;
	write_mark(key, token, mark);
	return strcmp(known, mark) == 0;
}

int cache_remember_token(struct cache *cache, const char *token)
{
	struct siphash_key key;
	char mark[MARK_SIZE];

	if (cache_knows_token(cache, token))
		return 0;
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	write_mark(key, token, mark);
	return write_token(cache, mark);
}

int cache_forget_token(struct cache *cache)
{
	char known[PROPERTY_SIZE];
	int r = rows_read_property(cache, "token", known);

	if (r)
		return r < 0 ? r : 0;
	return *known ? write_token(cache, "") : 0;
}
