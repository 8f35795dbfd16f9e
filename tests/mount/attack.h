#pragma once
/* SPDX-License-Identifier: MIT */
/* What somebody who has found a hole in the daemon would try; in no release. */

#include "kapturefs/base/buffer.h"

/** Try everything, from the daemon itself; append what came of each, a line. A control_print_fn. */
int attack_print(void *userdata, struct buffer *text);
