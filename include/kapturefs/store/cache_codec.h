#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * How a customer's JSON is kept small: Zstandard with the documented shape of a customer as its
 * dictionary.
 */

#include <stddef.h>

#include "kapturefs/base/base.h"

struct codec;

/** Begin. Returns 0 or -ENOMEM. */
int codec_new(struct codec **ret) must_check;

/** NULL is ignored. */
void codec_free(struct codec *codec);
define_cleanup(struct codec *, codec_free);

/** Keep nothing of what was packed and unpacked; what is borrowed ends. */
void codec_clear(struct codec *codec);

/** Pack @length bytes of @text. Returns 0 with *@ret borrowed until the next call, or -ENOMEM. */
int codec_pack(struct codec *codec, const char *text, size_t length, const char **ret,
               size_t *ret_length) must_check;

/** How long the text was. Returns 0, or -EILSEQ for bytes that were not packed here. */
int codec_text_size(const char *bytes, size_t length, size_t *ret) must_check;

/**
 * The inverse. Returns 0 with *@ret borrowed until the next call, -EILSEQ for bytes that were not
 * packed here, -ENOMEM.
 */
int codec_unpack(struct codec *codec, const char *bytes, size_t length, const char **ret,
                 size_t *ret_length) must_check;

/** The version of zstd that is loaded. */
const char *codec_zstd_version(void);
