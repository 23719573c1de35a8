/* SPDX-License-Identifier: MIT */
#include "api/contract_classes.h"

#include <string.h>

#include "util/alloc.h"

static const struct api_class contract_classes[] = {
	{ "tiny", { "ccx13", "cpx22", "cx23" }, 3 },
	{ "small", { "ccx23", "cpx32", "cx33" }, 3 },
	{ "standard", { "ccx33", "cpx62", "cx53" }, 3 },
	{ "fast", { "ccx43", "cpx62", "cx53" }, 3 },
	{ "large", { "ccx53", "ccx43", "cpx62", "cx53" }, 4 },
	{ "beast", { "ccx63", "ccx53", "ccx43", "cpx62", "cx53" }, 5 },
};

void contract_classes_set(struct api_config *config)
{
	memcpy(config->classes, contract_classes, sizeof(contract_classes));
	config->class_count = (int)ARRAY_LEN(contract_classes);
}

int contract_classes_are_set(const struct api_config *config)
{
	if (config->class_count != (int)ARRAY_LEN(contract_classes))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(contract_classes); i++) {
		const struct api_class *ours = &contract_classes[i], *class = &config->classes[i];

		if (strcmp(ours->name, class->name) || ours->type_count != class->type_count ||
		    memcmp(ours->types, class->types, sizeof(ours->types)))
			return 0;
	}
	return 1;
}

const struct api_class *api_class_find(const struct api_config *config, const char *name)
{
	for (int i = 0; i < config->class_count; i++) {
		if (!strcmp(config->classes[i].name, name))
			return &config->classes[i];
	}
	return NULL;
}
