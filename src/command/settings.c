/* SPDX-License-Identifier: MIT */

#include "kapturefs/command/memory.h"
#include "kapturefs/command/settings.h"

enum {
	REPLY_SIZE_MAX = 8 << 20,
	WAITING_MAX = 10000,
};

struct kapture_settings settings_for_source(const struct config *config,
                                            const struct config_secrets *secrets)
{
	return (struct kapture_settings){
		.base_url = config->base_url,
		.token = secrets->token,
		.headers = (const char *const *)secrets->headers,
		.request_members = secrets->request_members,
		.phone_country = (uint32_t)config->phone_country,
		.absent_text = config->absent_text,
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
}

struct catalog_settings settings_for_catalog(const struct config *config)
{
	struct memory_limit limit;

	memory_limit_find("", &limit);
	return (struct catalog_settings){
		.ttl_ms = config->ttl * 1000,
		.negative_ttl_ms = config->negative_ttl * 1000,
		.max_stale_ms = config->max_stale * 1000,
		.timeout_ms = config->timeout * 1000,
		.patience_ms = config->patience * 1000,
		.memory_max = memory_share(&limit, config->memory),
		.waiting_max = WAITING_MAX,
		.offline = config->offline,
		.account = config->account_id,
		.phone_country = (uint32_t)config->phone_country,
	};
}
