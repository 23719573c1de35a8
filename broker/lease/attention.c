/* SPDX-License-Identifier: MIT */
/* The attention text: why operator action is needed, and which. */
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

static void attention_advice(const struct lease *l, uint32_t error_class, char *out, size_t size)
{
	switch (error_class) {
	case LESSOR_CLASS_NONE:
		snprintf(out, size, "lessor release %s --delete, or --keep-server --until TIME",
			 l->id);
		break;
	case LESSOR_CLASS_AUTH:
	case LESSOR_CLASS_ACCOUNT:
		snprintf(out, size, "it resumes once the account is verified: lessor providers");
		break;
	case LESSOR_CLASS_PROTECTED:
		snprintf(out, size, "remove its protection there, then: lessor resolve %s retry",
			 l->id);
		break;
	case LESSOR_CLASS_OWNERSHIP:
	case LESSOR_CLASS_CONFLICT:
		snprintf(out, size,
			 "inspect it there, then: lessor resolve %s retry, or forget --reason TEXT, "
			 "or adopt ID --reason TEXT",
			 l->id);
		break;
	default:
		snprintf(out, size, "once that is fixed: lessor resolve %s retry", l->id);
		break;
	}
}

int lease_attention_set(struct lease *l, uint32_t error_class, const char *reason)
{
	char text[sizeof(l->attention)];
	char what[128];
	int size;

	attention_advice(l, error_class, what, sizeof(what));
	/* The reason may be truncated, the action may not. */
	size = (int)(sizeof(text) - strlen(what) - 3);
	snprintf(text, sizeof(text), "%.*s; %s", size, reason, what);
	l->attention_class = error_class;
	if (strcmp(l->attention, text) == 0)
		return 0;
	TEXT_SET(l->attention, text);
	return 1;
}
