/* SPDX-License-Identifier: MIT */
/* The keys of [account] and [org] that are not plain values, and the reasons of pauses. */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "config/value.h"

int locations_set(void *section, const char *value, struct err *err)
{
	struct account_config *a = &((struct config_account *)section)->account;

	return names_add(value, a->locations[0], sizeof(a->locations[0]), &a->location_count,
			 ACCOUNT_LOCATIONS_MAX, value_name, err);
}

int images_set(void *section, const char *value, struct err *err)
{
	struct config_account *a = section;

	return names_add(value, a->images[0], sizeof(a->images[0]), &a->image_count,
			 CONFIG_IMAGES_MAX, value_image, err);
}

int allowed_types_set(void *section, const char *value, struct err *err)
{
	struct config_account *a = section;

	return names_add(value, a->types[0], sizeof(a->types[0]), &a->type_count, CONFIG_TYPES_MAX,
			 value_name, err);
}

int org_accounts_set(void *section, const char *value, struct err *err)
{
	struct config_org *o = section;

	return names_add(value, o->accounts[0], sizeof(o->accounts[0]), &o->account_count,
			 CONFIG_ACCOUNTS_MAX, value_name, err);
}

/* Free text, for people. */
static int reason_set(const char *value, char reason[PAUSE_REASON_SIZE], struct err *err)
{
	size_t len = strlen(value);

	if (len >= PAUSE_REASON_SIZE)
		return err_set(err, ERR_INVALID, "more than %d bytes", PAUSE_REASON_SIZE - 1);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			return err_set(err, ERR_INVALID, "it contains a control character");
	}
	memcpy(reason, value, len + 1);
	return 0;
}

int server_reason_set(void *section, const char *value, struct err *err)
{
	return reason_set(value, ((struct config *)section)->pause_reason, err);
}

int account_reason_set(void *section, const char *value, struct err *err)
{
	return reason_set(value, ((struct config_account *)section)->pause_reason, err);
}

static const char *const choices[CLIENT_CHOICE_COUNT] = {
	[CLIENT_PREFER] = "prefer",
	[CLIENT_REQUIRE] = "require",
	[CLIENT_IGNORE] = "ignore",
};

static int choice_set(const char *value, int *ret, struct err *err)
{
	for (int i = 0; i < CLIENT_CHOICE_COUNT; i++) {
		if (strcmp(choices[i], value) == 0) {
			*ret = i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "'%s' is not one of prefer, require, ignore", value);
}

int client_location_set(void *section, const char *value, struct err *err)
{
	return choice_set(value, &((struct config_account *)section)->account.client_location, err);
}

int client_image_set(void *section, const char *value, struct err *err)
{
	return choice_set(value, &((struct config_account *)section)->account.client_image, err);
}

int max_steps_set(void *section, const char *value, struct err *err)
{
	struct config_account *a = section;
	int64_t n;

	if (value_int(value, 1, 64, &n, err) < 0)
		return -1;
	a->account.max_steps = (int)n;
	return 0;
}

int locations_show(const void *section, int i, char *out, size_t size)
{
	const struct account_config *a = &((const struct config_account *)section)->account;

	return row_show(a->locations[0], sizeof(a->locations[0]), a->location_count, i, out, size);
}

int images_show(const void *section, int i, char *out, size_t size)
{
	const struct config_account *a = section;

	return row_show(a->images[0], sizeof(a->images[0]), a->image_count, i, out, size);
}

int allowed_types_show(const void *section, int i, char *out, size_t size)
{
	const struct config_account *a = section;

	return row_show(a->types[0], sizeof(a->types[0]), a->type_count, i, out, size);
}

int org_accounts_show(const void *section, int i, char *out, size_t size)
{
	const struct config_org *o = section;

	return row_show(o->accounts[0], sizeof(o->accounts[0]), o->account_count, i, out, size);
}

int server_reason_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	return word_show(c->pause_reason, i, out, size) && out[0];
}

int account_reason_show(const void *section, int i, char *out, size_t size)
{
	const struct config_account *a = section;

	return word_show(a->pause_reason, i, out, size) && out[0];
}

int client_location_show(const void *section, int i, char *out, size_t size)
{
	const struct config_account *a = section;

	return word_show(choices[a->account.client_location], i, out, size);
}

int client_image_show(const void *section, int i, char *out, size_t size)
{
	const struct config_account *a = section;

	return word_show(choices[a->account.client_image], i, out, size);
}

int max_steps_show(const void *section, int i, char *out, size_t size)
{
	const struct config_account *a = section;

	snprintf(out, size, "%d", a->account.max_steps);
	return i == 0;
}
