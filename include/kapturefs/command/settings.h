#pragma once
/* SPDX-License-Identifier: MIT */
/* The configuration in the words of the layers that it is for. */

#include "kapturefs/config/config.h"
#include "kapturefs/config/secrets.h"
#include "kapturefs/store/catalog.h"
#include "kapturefs/store/kapture.h"

/** What is returned points into @config and @secrets. */
struct kapture_settings settings_for_source(const struct config *config,
                                            const struct config_secrets *secrets);
struct catalog_settings settings_for_catalog(const struct config *config);
