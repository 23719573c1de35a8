# SPDX-License-Identifier: MIT
# The real lessord and the real hetzner-sim on loopback. Exit code 77: a program is missing.
find_program(LESSOR_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(LESSOR_PYTHON)
	foreach(test real real_process stale)
		add_test(NAME faults-${test}
			COMMAND ${LESSOR_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/${test}.py)
		set_tests_properties(faults-${test} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77
			ENVIRONMENT "LESSORD=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/lessord;LESSOR_PROVIDERS=${LESSOR_PROVIDER_BUILD_DIR};HETZNER_SIM=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/hetzner-sim")
	endforeach()
endif()
