/* SPDX-License-Identifier: MIT */
/*
 * SQLite's integrity check sees 13 of 100 flipped bits; a value that stays well-formed is none of
 * its business. XXH3 costs less than reading the row.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "kapturefs/store/cache_seal.h"

struct seal {
	XXH3_state_t *state;
	uint64_t secret;
};

int seal_new(struct seal **ret)
{
	struct seal *seal;

	seal = calloc(1, sizeof(*seal));
	if (!seal)
		return -ENOMEM;
	seal->state = XXH3_createState();
	if (!seal->state) {
		free(seal);
		return -ENOMEM;
	}
	*ret = seal;
	return 0;
}

void seal_free(struct seal *seal)
{
	if (!seal)
		return;

	XXH3_freeState(seal->state);
	free(seal);
}

static void write_secret(uint64_t secret, char ret[SEAL_SECRET_SIZE])
{
	snprintf(ret, SEAL_SECRET_SIZE, "%016" PRIx64 "%016" PRIx64, secret,
	         (uint64_t)XXH3_64bits(&secret, sizeof(secret)));
}

int seal_make_secret(struct seal *seal, char ret[SEAL_SECRET_SIZE])
{
	if (getrandom(&seal->secret, sizeof(seal->secret), 0) != sizeof(seal->secret))
		return -errno;
	write_secret(seal->secret, ret);
	return 0;
}

int seal_take_secret(struct seal *seal, const char *text)
{
	char expected[SEAL_SECRET_SIZE];
	uint64_t secret;

	if (sscanf(text, "%16" SCNx64, &secret) != 1)
		return -EILSEQ;
	write_secret(secret, expected);
	if (strcmp(text, expected) != 0)
		return -EILSEQ;
	seal->secret = secret;
	return 0;
}

void seal_begin(struct seal *seal, enum seal_of of)
{
	(void)XXH3_64bits_reset_withSeed(seal->state, seal->secret);
	seal_add_integer(seal, of);
}

void seal_add_integer(struct seal *seal, int64_t value)
{
	(void)XXH3_64bits_update(seal->state, &value, sizeof(value));
}

/* With the length, so that no byte can wander into the next column. */
void seal_add_bytes(struct seal *seal, const void *bytes, size_t length)
{
	seal_add_integer(seal, (int64_t)length);
	(void)XXH3_64bits_update(seal->state, bytes, length);
}

int64_t seal_end(struct seal *seal)
{
	return (int64_t)XXH3_64bits_digest(seal->state);
}

/* Kind and text as one piece; returns its length. */
static size_t write_key(const struct key *key, char ret[KEY_TEXT_MAX + 1])
{
	size_t length = strlen(key->text);

	ret[0] = (char)key->kind;
	memcpy(ret + 1, key->text, length);
	return length + 1;
}

int64_t seal_key_hash(const struct seal *seal, const struct key *key)
{
	char bytes[KEY_TEXT_MAX + 1];
	size_t length = write_key(key, bytes);

	return (int64_t)XXH3_64bits_withSeed(bytes, length, seal->secret);
}

void seal_absent_hash(const struct seal *seal, const struct key *key, char ret[SEAL_ABSENT_SIZE])
{
	char bytes[KEY_TEXT_MAX + 1];
	size_t length = write_key(key, bytes);
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(bytes, length, seal->secret));
	memcpy(ret, canonical.digest, SEAL_ABSENT_SIZE);
}
