# espalier_module(NAME DEPS modules... LIBS libraries...)
#
# One module = one folder under src/, one static library, one test program made of its *_test.cc files (found in every
# folder below it); *_bench.cc and *_plugin.cc are targets of their own. DEPS is the dependency table of ARCHITECTURE.md:
# other modules' headers are reachable for all (one include root), so tests/tidy checks each #include against the same
# table, which is written to build/<preset>/modules.json.
set_property(GLOBAL PROPERTY ESPALIER_MODULE_TABLE "")

function(espalier_module NAME)
    cmake_parse_arguments(ARG "" "" "DEPS;LIBS;TEST_LIBS" ${ARGN})
    file(GLOB_RECURSE all_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${NAME}/*.cc)
    set(test_sources ${all_sources})
    list(FILTER test_sources INCLUDE REGEX "_test\\.cc$")
    set(sources ${all_sources})
    list(FILTER sources EXCLUDE REGEX "_(test|bench|plugin)\\.cc$")

    if(sources)
        add_library(espalier_${NAME} STATIC ${sources})
        set(scope PUBLIC)
    else()
        add_library(espalier_${NAME} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(espalier_${NAME} ${scope} ${CMAKE_SOURCE_DIR}/src)
    foreach(dep ${ARG_DEPS})
        target_link_libraries(espalier_${NAME} ${scope} espalier_${dep})
    endforeach()
    target_link_libraries(espalier_${NAME} ${scope} ${ARG_LIBS})

    if(test_sources)
        add_executable(${NAME}_test ${test_sources})
        target_link_libraries(${NAME}_test PRIVATE espalier_${NAME} ${ARG_TEST_LIBS} GTest::gtest GTest::gtest_main)
        add_test(NAME unit_${NAME} COMMAND ${NAME}_test)
    endif()

    list(JOIN ARG_DEPS "\", \"" deps_json)
    if(ARG_DEPS)
        set(deps_json "\"${deps_json}\"")
    endif()
    set_property(GLOBAL APPEND PROPERTY ESPALIER_MODULE_TABLE "\"${NAME}\": [${deps_json}]")
endfunction()

function(espalier_write_module_table)
    get_property(rows GLOBAL PROPERTY ESPALIER_MODULE_TABLE)
    list(JOIN rows ",\n  " body)
    file(WRITE ${CMAKE_BINARY_DIR}/modules.json "{\n  ${body}\n}\n")
endfunction()
