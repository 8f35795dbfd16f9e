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
