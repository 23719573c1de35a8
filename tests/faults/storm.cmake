# SPDX-License-Identifier: MIT
# Several lessord on one PostgreSQL while everything breaks; storm.sh is the long run. Exit code
# 77: a program is missing.
find_program(LESSOR_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
set(storm ${CMAKE_CURRENT_SOURCE_DIR}/storm)
set(storm_environment "LESSORD=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/lessord;LESSOR_PROVIDERS=${LESSOR_PROVIDER_BUILD_DIR};HETZNER_SIM=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/hetzner-sim")
# A sanitizer's runtime must be loaded first.
set(storm_skew "")
if(NOT LESSOR_SANITIZE)
	set(storm_skew ${CMAKE_BINARY_DIR}/tests/test-skew.so)
endif()
add_test(NAME storm-linear COMMAND sh ${storm}/linear/test.sh)
set_tests_properties(storm-linear PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS storm)
if(LESSOR_PYTHON)
	foreach(part judge proxy figures network)
		add_test(NAME storm-${part} COMMAND ${LESSOR_PYTHON} -B ${storm}/test_${part}.py)
		set_tests_properties(storm-${part} PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77
			LABELS storm)
	endforeach()
	add_test(NAME storm-sqlite COMMAND ${LESSOR_PYTHON} -B ${storm}/storm.py
		--store sqlite --daemons 1 --seconds 25 --longest 6)
	set_tests_properties(storm-sqlite PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77 LABELS storm
		ENVIRONMENT "${storm_environment}")
	if(TARGET lessord-postgresql)
		add_test(NAME storm-postgresql COMMAND ${LESSOR_PYTHON} -B ${storm}/storm.py
			--seconds 80 --longest 12 --settle 240)
		set_tests_properties(storm-postgresql PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77
			LABELS "storm;postgresql"
			ENVIRONMENT "${storm_environment};LESSOR_MODULES=$<TARGET_FILE_DIR:lessord-postgresql>;LESSOR_SKEW=${storm_skew}")
	endif()
endif()
