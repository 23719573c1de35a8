# SPDX-License-Identifier: MIT
# CTest runs a few seeded defects; `mutants.sh` without options runs all of them.
if(NOT LESSOR_SANITIZE)
	add_test(NAME faults-mutants COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mutants.sh --quick
		--build ${CMAKE_BINARY_DIR}/mutants)
	set_tests_properties(faults-mutants PROPERTIES LABELS mutants TIMEOUT 600 PROCESSORS 2)
endif()
