#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * libfuse, with the interface as it was at 3.14, Debian 12's; later libraries keep it. What they do
 * otherwise all the same, channel.c evens out.
 */

#define FUSE_USE_VERSION 314 /* read by the header */

#include <fuse_lowlevel.h>
