#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * What the two programs, kapturefs and kapturefs-sandbox, know of each other. The first contains no
 * server and links nothing of this room.
 */

#define SANDBOX_PROGRAM "kapturefs-sandbox"

/** Both programs print these. */
#define SANDBOX_SYNOPSIS                                                                           \
	"[--port N] [--customers N] [--seed N] [--latency MS] [--token T] [--tls] [--ca FILE] "    \
	"[--faults FILE]"
#define SANDBOX_SUMMARY "serve generated customers by the same API, for trying and testing"

/**
 * The argv[0] by which `kapturefs demo` has it serve, with no other argument. The server reads a
 * line from standard input, the token. When it serves, it writes four to standard output: the URL,
 * and a phone number, an e-mail address and an id of customers. It ends when standard input does,
 * and leaves the signals of a terminal to the demo, which still reads while it ends.
 */
#define SANDBOX_FOR_DEMO "kapturefs-sandbox-for-demo"

enum { SANDBOX_DEMO_CUSTOMERS = 1000 };
