/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/base/log.h"
#include "kapturefs/command/memory.h"
#include "kapturefs/command/settings.h"
#include "kapturefs/command/stack.h"

int stack_init(struct stack *stack)
{
	int r = uv_loop_init(&stack->loop);

	if (r)
		return r;
	r = turns_init(&stack->turns, &stack->loop);
	if (r)
		uv_loop_close(&stack->loop);
	return r;
}

/* Make the directories that lead to @path, our own; those that a user names must be there. */
static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdir(path, 0700);
		*slash = '/';
		if (r < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

const char *stack_cache_complaint(int r)
{
	switch (r) {
	case CACHE_BUSY:
		return "in use by another kapturefs; unmount that, or give another cache=PATH";
	case CACHE_FOREIGN:
		return "no cache of kapturefs; move it away, or give another cache=PATH";
	case CACHE_NEWER:
		return "made by a later version of kapturefs; update, or give another cache=PATH";
	case CACHE_OTHER_OWNER:
		return "belongs to another source; give another cache=PATH";
	case CACHE_EXPOSED:
		return "others can put files where it is; kapturefs doctor -o cache=PATH names "
		       "them";
	case -ENOENT:
	case -ENOTDIR:
		return "no such directory; make it, or give another cache=PATH";
	default:
		return strerror(-r);
	}
}

int stack_open_cache(struct stack *stack, const struct config *config, bool may_make)
{
	struct cache_limits limits = {
		.size_max = config->cache_size,
		.retain_ms = (int64_t)config->retain * 86400 * 1000,
	};
	struct memory_limit limit;
	int r = 0;

	memory_limit_find("", &limit);
	limits.memory_max = memory_share(&limit, config->cache_size);
	if (may_make && strcmp(config->cache, ":memory:") != 0)
		r = make_parents(config->cache);
	if (!r)
		r = cache_open(config->cache, config->base_url, &stack->cache);
	if (!r)
		cache_limit(stack->cache, &limits);
	return r;
}

static void token_refused(void *userdata)
{
	struct stack *stack = userdata;

	token_watch_look(&stack->token);
}

/* So that the next mount need not ask. */
static void token_judged(void *userdata, const char *token, bool is_accepted)
{
	struct stack *stack = userdata;
	int r = is_accepted ? cache_remember_token(stack->cache, token)
	                    : cache_forget_token(stack->cache);

	if (r)
		log_debug("token: what became of it cannot be kept: error=%d", -r);
}

static int open_source(struct stack *stack, const struct config *config,
                       const struct config_secrets *secrets)
{
	const struct kapture_settings settings = settings_for_source(config, secrets);
	int r;

	r = kapture_new(&stack->loop, &settings, &stack->kapture);
	if (!r)
		r = token_watch_init(&stack->token, config, stack->kapture);
	if (!r)
		kapture_set_keeper(stack->kapture,
		                   (struct kapture_keeper){ token_refused, token_judged, stack });
	return r;
}

static int open_catalog(struct stack *stack, const struct config *config)
{
	const struct catalog_settings settings = settings_for_catalog(config);

	return catalog_new(&stack->loop, stack->cache, kapture_source(stack->kapture), &settings,
	                   &stack->catalog);
}

int stack_open(struct stack *stack, const struct config *config,
               const struct config_secrets *secrets)
{
	int r = open_source(stack, config, secrets);

	return r ? r : open_catalog(stack, config);
}

void stack_close(struct stack *stack)
{
	catalog_free(steal(&stack->catalog));
	token_watch_fini(&stack->token);
	kapture_free(steal(&stack->kapture));
}

void stack_fini(struct stack *stack)
{
	turns_fini(&stack->turns);
	/* A stop that nobody ran into yet would end the first round at once. */
	while (uv_run(&stack->loop, UV_RUN_DEFAULT))
		;
	cache_close(steal(&stack->cache));
	uv_loop_close(&stack->loop);
}
