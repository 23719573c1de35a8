/* SPDX-License-Identifier: MIT */
/*
 * No structure of the ABI ends with padding: a field added there would not change the size,
 * so neither side could detect it.
 */
#include <lessor/provider.h>

#define NO_TAIL(type, last) \
	_Static_assert(sizeof(struct type) == \
		       offsetof(struct type, last) + sizeof(((struct type *)0)->last), \
		       #type " ends in padding")

#if UINTPTR_MAX == UINT64_MAX
NO_TAIL(lessor_resource, ours);
NO_TAIL(lessor_attempt, refused);
NO_TAIL(lessor_lease, deadline_ms);
NO_TAIL(lessor_label, value);
NO_TAIL(lessor_observed, reserved);
NO_TAIL(lessor_intent, label_count);
NO_TAIL(lessor_change, label_count);
NO_TAIL(lessor_offer, minimum_ms);
NO_TAIL(lessor_action, effect);
NO_TAIL(lessor_http_request, max_response);
NO_TAIL(lessor_http_response, age_ms);
NO_TAIL(lessor_host, offer_billed);
NO_TAIL(lessor_call, host);
NO_TAIL(lessor_waiting, lease);
NO_TAIL(lessor_option, flags);
NO_TAIL(lessor_provider, observe);
#endif

_Static_assert(offsetof(struct lessor_provider, size) == 0, "frozen for ever");
_Static_assert(offsetof(struct lessor_provider, abi) == 4, "frozen for ever");
