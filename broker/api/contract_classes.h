/* SPDX-License-Identifier: MIT */
/* The built-in classes, those of the contract (3.4): types of one provider. Pure. */
#pragma once

#include "api/api.h"

void contract_classes_set(struct api_config *config);
/* Does the configuration have exactly these? */
int contract_classes_are_set(const struct api_config *config);
/* NULL: there is no class of this name. */
const struct api_class *api_class_find(const struct api_config *config, const char *name);
