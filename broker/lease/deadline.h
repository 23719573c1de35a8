/* SPDX-License-Identifier: MIT */
/*
 * An intent and a permit are good for a time. Its sender counts from before it asked, on its own
 * clock, and sends nothing after PERMIT_MS less a margin; everybody else counts from the commit,
 * on the store's clock, and believes that the request may take effect until PERMIT_GUARD_MS
 * later: what was sent at the last moment may be on the wire for a while, and the provider may
 * take its time. So a takeover, a restart or a release need not know what became of the sender.
 */
#pragma once

#define PERMIT_MS 20000
#define PERMIT_MARGIN_MS 1000
#define PERMIT_GUARD_MS 30000
