#pragma once
/* SPDX-License-Identifier: MIT */
/* The layers up to the catalog, on a loop of their own: what a mount and `get` stand on. */

#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/command/token.h"
#include "kapturefs/config/config.h"
#include "kapturefs/config/secrets.h"
#include "kapturefs/io/turns.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/catalog.h"
#include "kapturefs/store/kapture.h"

/** Zero to begin with. */
struct stack {
	uv_loop_t loop;
	struct turns turns;
	struct cache *cache;
	struct kapture *kapture;
	struct token_watch token;
	struct catalog *catalog;
};

/** Begin the loop. Returns 0 or a negative errno, after which nothing is to be ended. */
int stack_init(struct stack *stack) must_check;

/**
 * Open the cache that @config names; if @may_make, the directories that lead there are made.
 * Returns as cache_open().
 */
int stack_open_cache(struct stack *stack, const struct config *config, bool may_make) must_check;

/** What to tell the user of what stack_open_cache() returned; static memory. */
const char *stack_cache_complaint(int r);

/**
 * Open what stands on the cache; @config and @secrets outlive the stack. Returns 0 or a negative
 * errno.
 */
int stack_open(struct stack *stack, const struct config *config,
               const struct config_secrets *secrets) must_check;

/** Have everything closed that was opened, but for the loop, which has to run for that. */
void stack_close(struct stack *stack);

/** Run the loop until all is closed, and end it. */
void stack_fini(struct stack *stack);
