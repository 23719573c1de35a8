# SPDX-License-Identifier: MIT
# Kills lessord at every request and at every commit, with real programs.
find_program(LESSOR_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(LESSOR_PYTHON)
	foreach(what calls points)
		add_test(NAME kill-${what} COMMAND ${LESSOR_PYTHON} -B
			${CMAKE_CURRENT_SOURCE_DIR}/kill.py ${what})
		set_tests_properties(kill-${what} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77
			ENVIRONMENT "LESSORD=$<TARGET_FILE_DIR:lessord>/lessord;LESSOR_PROVIDERS=${LESSOR_PROVIDER_BUILD_DIR};HETZNER_SIM=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/hetzner-sim")
	endforeach()
endif()
