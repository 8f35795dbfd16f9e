#pragma once
/* SPDX-License-Identifier: MIT */
/* The text of a configuration file into sections and options, each of them checked. */

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/config/config.h"
#include "kapturefs/config/file.h"

/**
 * Add what @text says to @file, which has its path and directory and nothing else. Returns
 * 0, -EINVAL with *@complaint, which names path, line and option, or -ENOMEM; end @file in
 * any case.
 */
int config_parse(struct config_file *file, const struct buffer *text,
                 struct config_complaint *complaint) must_check;
