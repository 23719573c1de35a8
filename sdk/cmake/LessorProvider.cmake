# SPDX-License-Identifier: MIT
#
# lessor_add_provider(NAME FILE... [SOURCES FILE...] [LIBRARIES LIB...] [COMPONENT NAME])
#
# Builds the provider plugin NAME.so and installs it into lessord's provider directory: a
# module without "lib" prefix that exports one symbol and has no undefined symbols,
# because it calls the host through a table of functions. Used by lessor's own tree and,
# through find_package(Lessor), by external projects.

function(lessor_add_provider name)
	cmake_parse_arguments(P "" "COMPONENT" "SOURCES;LIBRARIES" ${ARGN})
	set(sources ${P_UNPARSED_ARGUMENTS} ${P_SOURCES})
	if(NOT sources)
		message(FATAL_ERROR "lessor_add_provider(${name}): no sources")
	endif()
	if(NOT name MATCHES "^[a-z][a-z0-9_-]*$")
		message(FATAL_ERROR "lessor_add_provider(${name}): a name is [a-z][a-z0-9_-]*")
	endif()

	add_library(${name} MODULE ${sources})
	set_target_properties(${name} PROPERTIES
		PREFIX ""
		SUFFIX ".so"
		C_VISIBILITY_PRESET hidden
		CXX_VISIBILITY_PRESET hidden
		VISIBILITY_INLINES_HIDDEN ON
		POSITION_INDEPENDENT_CODE ON)
	if(LESSOR_INCLUDE_DIR)
		target_include_directories(${name} PRIVATE ${LESSOR_INCLUDE_DIR})
	endif()
	target_link_libraries(${name} PRIVATE ${P_LIBRARIES})
	set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/provider.map)
	target_link_options(${name} PRIVATE -Wl,-z,relro -Wl,-z,now -Wl,--version-script=${map})
	set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${map})
	# clang leaves the sanitizers' runtime symbols undefined in shared objects; gcc does not.
	if(NOT (CMAKE_C_COMPILER_ID MATCHES "Clang" AND
		(LESSOR_SANITIZE OR LESSOR_FUZZ OR CMAKE_C_FLAGS MATCHES "-fsanitize")))
		target_link_options(${name} PRIVATE -Wl,-z,defs)
	endif()
	if(LESSOR_PROVIDER_BUILD_DIR)
		set_target_properties(${name} PROPERTIES
			LIBRARY_OUTPUT_DIRECTORY ${LESSOR_PROVIDER_BUILD_DIR})
	endif()
	if(NOT P_COMPONENT)
		set(P_COMPONENT provider)
	endif()
	install(TARGETS ${name} LIBRARY DESTINATION ${LESSOR_INSTALL_PROVIDERDIR}
		COMPONENT ${P_COMPONENT})
endfunction()
