/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "kapturefs/command/stack.h"

enum {
	REPLY_SIZE_MAX = 8 << 20,
	WAITING_MAX = 10000,
};

int stack_init(struct stack *stack)
{
	return uv_loop_init(&stack->loop);
}

/* Make the directories that lead to @path. */
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
	default:
		return strerror(-r);
	}
}

int stack_open_cache(struct stack *stack, const struct config *config)
{
	const struct cache_limits limits = {
		.size_max = config->cache_size,
		.retain_ms = (int64_t)config->retain * 86400 * 1000,
	};
	int r = 0;

	if (strcmp(config->cache, ":memory:") != 0)
		r = make_parents(config->cache);
	if (!r)
		r = cache_open(config->cache, config->base_url, &stack->cache);
	if (!r)
		cache_limit(stack->cache, &limits);
	return r;
}

static void token_refused(void *userdata)
{
	token_watch_look(userdata);
}

static int open_source(struct stack *stack, const struct config *config,
                       const struct config_secrets *secrets)
{
	const struct kapture_settings settings = {
		.base_url = config->base_url,
		.token = secrets->token,
		.headers = (const char *const *)secrets->headers,
		.request_members = secrets->request_members,
		.timeout_ms = config->timeout * 1000,
		.retries = (uint32_t)config->retries,
		.rate = config->rate,
		.burst = config->burst,
		.http = {
			.cafile = config->cafile,
			.proxy = config->proxy,
			.connect_timeout_ms = config->connect_timeout * 1000,
			.concurrency_max = (uint32_t)config->max_connections,
			.body_size_max = REPLY_SIZE_MAX,
		},
	};
	int r;

	r = kapture_new(&stack->loop, &settings, &stack->kapture);
	if (!r)
		r = token_watch_init(&stack->token, config, stack->kapture);
	if (!r)
		kapture_set_keeper(stack->kapture,
		                   (struct kapture_keeper){ token_refused, &stack->token });
	return r;
}

static int open_catalog(struct stack *stack, const struct config *config)
{
	const struct catalog_settings settings = {
		.ttl_ms = config->ttl * 1000,
		.negative_ttl_ms = config->negative_ttl * 1000,
		.max_stale_ms = config->max_stale * 1000,
		.timeout_ms = config->timeout * 1000,
		.patience_ms = config->patience * 1000,
		.memory_max = config->memory,
		.waiting_max = WAITING_MAX,
		.offline = config->offline,
	};

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
	/* A stop that nobody ran into yet would end the first round at once. */
	while (uv_run(&stack->loop, UV_RUN_DEFAULT))
		;
	cache_close(steal(&stack->cache));
	uv_loop_close(&stack->loop);
}
