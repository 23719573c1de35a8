/* SPDX-License-Identifier: MIT */
#include "api/type_policy.h"

#include <string.h>

#include "api/catalogue.h"
#include "api/contract_classes.h"
#include "api/lookup.h"

/* As in `allowed_types = any`. */
#define ANY_TYPE "any"

static int class_has(const struct api_config *config, const char *type)
{
	for (int i = 0; i < config->class_count; i++) {
		for (int k = 0; k < config->classes[i].type_count; k++) {
			if (!strcmp(config->classes[i].types[k], type))
				return 1;
		}
	}
	return 0;
}

static int account_lists(const struct api_config *config, const char *account, const char *type)
{
	for (int i = 0; i < config->type_count; i++) {
		if (!strcmp(config->types[i].account, account) &&
		    !strcmp(config->types[i].name, type))
			return 1;
	}
	return 0;
}

/*
 * The built-in classes name types of one provider: they say nothing about an account that offers
 * none of them.
 */
static int is_described(const struct api *api, const struct account *account)
{
	const struct api_config *config = &api->config;

	if (!contract_classes_are_set(config))
		return 1;
	for (int i = 0; i < config->class_count; i++) {
		for (int k = 0; k < config->classes[i].type_count; k++) {
			if (catalogue_has(api, account, config->classes[i].types[k]))
				return 1;
		}
	}
	return 0;
}

static int is_allowed(const struct api *api, const struct caller *caller,
		      const struct account *account, const char *type)
{
	const struct api_config *config = &api->config;

	return caller->role == TOKEN_ADMIN || class_has(config, type) ||
	       account_lists(config, account->config.name, type) ||
	       account_lists(config, account->config.name, ANY_TYPE) || !is_described(api, account);
}

/* Is there a type of this name, as far as is known? */
static int type_exists(const struct api *api, const struct account *account, const char *type)
{
	return class_has(&api->config, type) ||
	       account_lists(&api->config, account->config.name, type) ||
	       catalogue_has_anywhere(api, type);
}

static int refuse_unknown(const struct api_config *config, const char *what, const char *name,
			  struct api_error *error)
{
	char names[160] = "", shown[40];

	api_error_scrub(name, shown, sizeof(shown));
	for (int i = 0; i < config->class_count; i++)
		api_error_add_name(names, sizeof(names), config->classes[i].name);
	return api_error_set(error, 400, "unknown_class", "there is no %s '%s'; classes: %s", what,
			     shown, names);
}

/* Has an earlier class, or an earlier place of this one, the same type? */
static int is_repeated(const struct api_config *config, int class, int place)
{
	const char *type = config->classes[class].types[place];

	for (int i = 0; i <= class; i++) {
		for (int k = 0; k < config->classes[i].type_count; k++) {
			if (i == class && k == place)
				return 0;
			if (!strcmp(config->classes[i].types[k], type))
				return 1;
		}
	}
	return 0;
}

static int refuse_type(const struct api_config *config, const struct account *account,
		       const char *type, struct api_error *error)
{
	char names[120] = "";

	for (int i = 0; i < config->type_count; i++) {
		if (!strcmp(config->types[i].account, account->config.name))
			api_error_add_name(names, sizeof(names), config->types[i].name);
	}
	for (int i = 0; i < config->class_count; i++) {
		for (int k = 0; k < config->classes[i].type_count; k++) {
			if (!is_repeated(config, i, k))
				api_error_add_name(names, sizeof(names),
						   config->classes[i].types[k]);
		}
	}
	return api_error_set(error, 400, "type_not_allowed",
			     "type '%s' is not allowed in account %s; allowed types: %s", type,
			     account->config.name, names);
}

/* A type that must be had as it is named: explicit, or in the place of a class. */
static int type_check(const struct api *api, const struct caller *caller,
		      const struct account *account, const char *type, struct api_error *error)
{
	return is_allowed(api, caller, account, type) ?
		       0 :
		       refuse_type(&api->config, account, type, error);
}

static int class_check(const struct api *api, const struct caller *caller,
		       const struct account *account, const struct lease *l,
		       struct api_error *error)
{
	if (api_class_find(&api->config, l->class_name))
		return 0;
	if (!type_exists(api, account, l->class_name))
		return refuse_unknown(&api->config, "class or type", l->class_name, error);
	return type_check(api, caller, account, l->class_name, error);
}

static void type_drop(struct lease *l, const char *type)
{
	for (int i = 0; i < l->type_count; i++) {
		if (strcmp(l->types[i], type) != 0)
			continue;
		memmove(l->types[i], l->types[i + 1],
			(size_t)(l->type_count - i - 1) * sizeof(l->types[0]));
		l->type_count--;
		return;
	}
}

int type_policy_check(const struct api *api, const struct caller *caller, struct lease *l,
		      struct api_error *error)
{
	const struct account *account = lookup_account(api, l->account);

	/* A provider whose types are not known may have any. */
	if (l->type_explicit && !type_exists(api, account, l->requested_type) &&
	    catalogue_is_known(api, account))
		return refuse_unknown(&api->config, "type", l->requested_type, error);
	if (l->type_explicit)
		return type_check(api, caller, account, l->requested_type, error);
	if (class_check(api, caller, account, l, error))
		return -1;
	if (l->requested_type[0] && l->type_count > 1 &&
	    !is_allowed(api, caller, account, l->requested_type))
		type_drop(l, l->requested_type);
	return 0;
}
