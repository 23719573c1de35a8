/* SPDX-License-Identifier: MIT */
/* Many small plugins from one file: VARIANT_x selects the plugin and thereby its error. */
#include "plain.h"

#if defined(VARIANT_good) || defined(VARIANT_optionsize)
static const struct lessor_option options[] = {
	{ .key = "endpoint", .preset = "", .help = "Where the cloud is.", .type = LESSOR_OPTION_URL },
	{ .key = "keys", .preset = "lease", .choices = "lease|account", .help = "One key for each what.",
	  .type = LESSOR_OPTION_CHOICE },
};
#elif defined(VARIANT_badoption)
static const struct lessor_option options[] = {
	{ .key = "fine", .preset = "", .help = "Fine.", .type = LESSOR_OPTION_TEXT },
	{ .key = "Not-Fine", .preset = "", .help = "Not.", .type = LESSOR_OPTION_TEXT },
};
#elif defined(VARIANT_twice)
static const struct lessor_option options[] = {
	{ .key = "fine", .preset = "", .help = "Fine.", .type = LESSOR_OPTION_TEXT },
	{ .key = "fine", .preset = "", .help = "Fine.", .type = LESSOR_OPTION_TEXT },
};
#endif
#define OPTIONS .options = options, .option_count = 2, .option_size = sizeof(struct lessor_option)

#if defined(VARIANT_newer)
/* built for a host with one more operation */
static const struct {
	struct lessor_provider table;
	int (*later)(void *instance, struct lessor_call *call, uint32_t kind);
} newer = {
	.table = { PLAIN("newer"), .size = sizeof(newer) },
	.later = plain_list,
};
#define table newer.table
#elif defined(VARIANT_tiny)
static const struct { uint32_t size, abi; } table = { sizeof(table), LESSOR_ABI };
#elif !defined(VARIANT_null) && !defined(VARIANT_nosymbol)
static const struct lessor_provider table = {
#if defined(VARIANT_good)
	PLAIN("good"), OPTIONS, .probe = plain_step, .observe = plain_observe,
#elif defined(VARIANT_second)
	PLAIN("second"),
#elif defined(VARIANT_older)
	/* built when the table ended after `list`; the bytes behind it are not part of it */
	PLAIN("older"),
	.size = offsetof(struct lessor_provider, probe),
	.probe = plain_step,
#elif defined(VARIANT_unobserving)
	PLAIN("unobserving"), .size = offsetof(struct lessor_provider, observe), .retain = plain_step,
	.observe = plain_observe,
#elif defined(VARIANT_half)
	/* a copy would contain half of a pointer */
	PLAIN("half"),
	.size = offsetof(struct lessor_provider, observe) + 4,
	.observe = plain_observe,
#elif defined(VARIANT_abi)
	/* with another major version, only size and abi may be read */
	PLAIN((const char *)(uintptr_t)1),
	.abi = 7u << 16 | 3,
#elif defined(VARIANT_minor)
	/* the next minor version, in which every member may have another meaning */
	PLAIN("minor"),
	.abi = LESSOR_ABI + 1,
#elif defined(VARIANT_past)
	PLAIN("past"), .abi = LESSOR_ABI - 1,
#elif defined(VARIANT_first)
	/* for a while before the first release, the major version was 1 */
	PLAIN("first"),
	.abi = 1u << 16 | 1,
#elif defined(VARIANT_lacking)
	PLAIN("lacking"), .list = NULL,
#elif defined(VARIANT_badname)
	PLAIN("Bad Name"),
#elif defined(VARIANT_other)
	PLAIN("another"),
#elif defined(VARIANT_auth)
	PLAIN("auth"), .http_auth = "basic",
#elif defined(VARIANT_noactions)
	PLAIN("noactions"), .http_auth = "bearer", .capabilities = 0,
#elif defined(VARIANT_noway)
	PLAIN("noway"), .capabilities = LESSOR_CAN_USER_DATA,
#elif defined(VARIANT_negative)
	PLAIN("negative"), .visible_within_ms = -1,
#elif defined(VARIANT_badoption)
	PLAIN("badoption"), OPTIONS,
#elif defined(VARIANT_optionsize)
	PLAIN("optionsize"), OPTIONS, .option_size = 0,
#elif defined(VARIANT_twice)
	PLAIN("twice"), OPTIONS,
#endif
};
#endif

#if defined(VARIANT_nosymbol)
LESSOR_EXPORT int another_symbol(void);
int another_symbol(void)
{
	return 0;
}
#else
LESSOR_EXPORT const struct lessor_provider *lessor_provider_entry_v1(void);
const struct lessor_provider *lessor_provider_entry_v1(void)
{
#if defined(VARIANT_null)
	return NULL;
#else
	return (const struct lessor_provider *)(const void *)&table;
#endif
}
#endif
