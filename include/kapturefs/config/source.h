#pragma once
/* SPDX-License-Identifier: MIT */
/* SOURCE, as the user writes it, to the URL that is asked. */

#include "kapturefs/base/base.h"
#include "kapturefs/config/config.h"

/**
 * Take @source: a sub domain (`acme`), a host or a base URL. Two spellings of one source
 * give the same config->base_url. Returns 0, -EINVAL with *@complaint, -ENOMEM; on failure
 * @config is as before.
 */
int config_set_source(struct config *config, const char *source,
                      struct config_complaint *complaint) must_check;

/**
 * Whether the proxy, if there is one, may have what the source gets: one that is asked by http://,
 * which is of this machine, is asked in clear, and so is the proxy. Returns 0, or -EINVAL with
 * *@complaint.
 */
int config_check_proxy(const struct config *config, struct config_complaint *complaint) must_check;
