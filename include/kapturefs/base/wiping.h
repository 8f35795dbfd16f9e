#pragma once
/* SPDX-License-Identifier: MIT */
/* Whether memory is wiped when it is freed, whoever frees it; see wiping.c. */

#include <features.h>

/** Wipe what functions that have returned have left on the stack below the caller. */
void wipe_stack(void);

#if defined(__GLIBC__) && !defined(WITH_SANITIZER)
#define WIPES_FREED_MEMORY 1
#else
#define WIPES_FREED_MEMORY 0
#endif
