#pragma once
/* SPDX-License-Identifier: MIT */
/* The files of .kapturefs/: what each of them holds. */

#include "kapturefs/command/facts.h"
#include "kapturefs/fs/control.h"

/** Add all of them; @facts, which may change, outlives @control. */
void control_files_add(struct control *control, struct facts_sources *facts);
