/* SPDX-License-Identifier: MIT */
/* The attention text: why operator action is needed, and which. */
#include "lease/attention.h"

#include <stdio.h>
#include <string.h>

#include <lessor/provider.h>

#include "lease/lifecycle.h"
#include "util/text.h"

int lease_waits_for_account(const struct lease *l)
{
	return l->attention[0] && (l->attention_class == LESSOR_CLASS_AUTH ||
				   l->attention_class == LESSOR_CLASS_ACCOUNT);
}

/* A "%s" stands for the lease's id. */
struct attention_advice {
	const char *before;  /* the command */
	const char *command; /* what to enter next */
	const char *after;   /* it: what else there is */
};

static const struct attention_advice *attention_advice(uint32_t error_class)
{
	static const struct attention_advice retention = {
		"",
		"lessor release %s --delete",
		", or --keep-server --until TIME",
	};
	static const struct attention_advice account = {
		"it resumes once the account is verified: ",
		"lessor providers",
		"",
	};
	static const struct attention_advice protected = {
		"remove its protection there, then: ",
		"lessor resolve %s retry",
		"",
	};
	static const struct attention_advice foreign = {
		"inspect it there, then: ",
		"lessor resolve %s retry",
		", or forget --reason TEXT, or adopt ID --reason TEXT",
	};
	static const struct attention_advice other = {
		"once that is fixed: ",
		"lessor resolve %s retry",
		"",
	};

	switch (error_class) {
	case LESSOR_CLASS_NONE:
		return &retention;
	case LESSOR_CLASS_AUTH:
	case LESSOR_CLASS_ACCOUNT:
		return &account;
	case LESSOR_CLASS_PROTECTED:
		return &protected;
	case LESSOR_CLASS_OWNERSHIP:
	case LESSOR_CLASS_CONFLICT:
		return &foreign;
	default:
		return &other;
	}
}

static void command_write(const struct lease *l, const char *command, char *out, size_t size)
{
	const char *id = strstr(command, "%s");

	if (id)
		snprintf(out, size, "%.*s%s%s", (int)(id - command), command, l->id, id + 2);
	else
		snprintf(out, size, "%s", command);
}

void lease_attention_action(const struct lease *l, char out[ATTENTION_ACTION_SIZE])
{
	out[0] = '\0';
	if (l->attention[0])
		command_write(l, attention_advice(l->attention_class)->command, out,
			      ATTENTION_ACTION_SIZE);
}

int lease_attention_set(struct lease *l, uint32_t error_class, const char *reason)
{
	const struct attention_advice *advice = attention_advice(error_class);
	char text[sizeof(l->attention)];
	char command[ATTENTION_ACTION_SIZE];
	char what[160];
	int size;

	command_write(l, advice->command, command, sizeof(command));
	snprintf(what, sizeof(what), "%s%s%s", advice->before, command, advice->after);
	/* The reason may be truncated, the action may not. */
	size = (int)(sizeof(text) - strlen(what) - 3);
	snprintf(text, sizeof(text), "%.*s; %s", size, reason, what);
	l->attention_class = error_class;
	if (strcmp(l->attention, text) == 0)
		return 0;
	TEXT_SET(l->attention, text);
	return 1;
}
