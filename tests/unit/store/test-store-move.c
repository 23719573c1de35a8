/* SPDX-License-Identifier: MIT */
#include "unit/test.h"
int main(void) { return 0; }
