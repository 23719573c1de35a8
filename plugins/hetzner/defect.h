/* SPDX-License-Identifier: MIT */
/*
 * Defects that were put here on purpose, so that the tests can be shown to find
 * them: broker/util/defect.h for a plugin, which sees nothing of the broker.
 */
#pragma once

#ifndef LESSOR_DEFECT
#define LESSOR_DEFECT 0
#endif
#define DEFECT(n) (LESSOR_DEFECT == (n))
