#pragma once
/* SPDX-License-Identifier: MIT */
/* Read a file of .kapturefs/ of a mount, whatever state that is in. */

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"
#include "kapturefs/config/config.h"

/**
 * Append what .kapturefs/@name of the mount at @mountpoint holds to @text, unless that is another
 * user's, who may have it say anything. A mount that has died or
 * does not answer is told within some seconds: the file is read by a process that can be left to
 * itself. Returns 0, -EINVAL with *@complaint, or another negative errno.
 */
int control_read(const char *mountpoint, const char *name, struct buffer *text,
                 struct config_complaint *complaint) must_check;

/** The same whosever mount it is. */
int control_read_any(const char *mountpoint, const char *name, struct buffer *text,
                     struct config_complaint *complaint) must_check;
