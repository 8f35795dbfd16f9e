#pragma once
/* SPDX-License-Identifier: MIT */
/* Numbers as people read them. Each returns @ret. */

#include <stdint.h>

enum { WORDS_SIZE = 40 };

/** `250 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`, `3 days 4 h`. */
const char *words_duration(uint64_t duration_ms, char ret[WORDS_SIZE]);

/** `512 bytes`, `1.5 MiB`. */
const char *words_bytes(uint64_t bytes, char ret[WORDS_SIZE]);

/** Thousandths: `10`, `0.5`. */
const char *words_thousandths(uint64_t number, char ret[WORDS_SIZE]);

/** Unix time in ms: `2026-07-01 10:00:00 UTC`. */
const char *words_time(int64_t time_ms, char ret[WORDS_SIZE]);

/** `2026-07-01T10:00:00.000Z`, of RFC 3339. */
const char *words_timestamp(int64_t time_ms, char ret[WORDS_SIZE]);
