/* SPDX-License-Identifier: MIT */
/*
 * Defects that were put here on purpose, each a switch of its own, so that the
 * tests can be shown to find it (tests/faults/mutants.sh). DEFECT(n) is a
 * constant 0 in every build but one configured with -DLESSOR_DEFECT=n.
 */
#pragma once

#ifndef LESSOR_DEFECT
#define LESSOR_DEFECT 0
#endif
#define DEFECT(n) (LESSOR_DEFECT == (n))
