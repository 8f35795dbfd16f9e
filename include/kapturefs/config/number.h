#pragma once
/* SPDX-License-Identifier: MIT */
/* The numbers of options, from text and back. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"

enum number_kind {
	NUMBER_PLAIN,   /* `300` */
	NUMBER_SIZE,    /* bytes; `1024`, `64M`, `10GiB`: K, M, G and T are powers of 1024 */
	NUMBER_SECONDS, /* `300`, `300s`, `5m`, `2h`, `1d` */
	NUMBER_DAYS,    /* `30`, `30d`, `48h` */
	NUMBER_OCTAL,   /* `0277` */
	NUMBER_RATE,    /* thousandths; `10`, `10/s`, `0.5/s` */
	NUMBER_COUNTRY, /* of telephones; `91`, `+91`, `0091` */
	NUMBER_LEVEL,   /* of the log, enum log_level; `error`, `warning`, `info`, `debug` */
};

enum { NUMBER_TEXT_SIZE = 32 };

/**
 * Read @text, which must be a number of that kind and nothing more, into *@ret; tells
 * whether it is.
 */
bool number_parse(enum number_kind kind, const char *text, uint64_t *ret) must_check;

/** Write @number so that number_parse() reads it back; returns @ret. */
const char *number_print(enum number_kind kind, uint64_t number, char ret[NUMBER_TEXT_SIZE]);
