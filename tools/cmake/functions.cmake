# mailroom_library, mailroom_private_library, mailroom_program, mailroom_test, mailroom_fuzz: what a folder can hold.

# mailroom_precompiled(<target>): what all compile against, made once in the target that MAILROOM_PRECOMPILED names. A
# folder that is compiled with flags of its own names another: g++ takes one only for the flags that it was made with.
set(MAILROOM_PRECOMPILED mailroom_precompiled)
function(mailroom_precompiled target)
  if(NOT MAILROOM_PRECOMPILE)
    return()
  endif()
  set(made ${MAILROOM_PRECOMPILED})
  if(NOT TARGET ${made})
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/precompiled.cpp" CONTENT "")
    add_library(${made} STATIC "${PROJECT_BINARY_DIR}/precompiled.cpp")
    target_compile_features(${made} PRIVATE cxx_std_20)
    target_link_libraries(${made} PRIVATE mailroom_flags Msgpack::cxx)
    target_precompile_headers(${made} PRIVATE
      "${PROJECT_SOURCE_DIR}/tools/cmake/precompiled.hpp")
  endif()
  target_precompile_headers(${target} REUSE_FROM ${made})
endfunction()

# mailroom_library(<target> [HEADERS <public header>...] [LINKS PUBLIC|PRIVATE <target>...]
#                  [UMBRELLA <header>])
#
# After add_library(mailroom_<x> STATIC <sources>) (or INTERFACE without sources): alias mailroom::<x>,
# warnings, public headers with their check and installation, export. HEADERS are relative to the folder.
# UMBRELLA is the one header that users also know as <mailroom/mailroom.hpp>.
function(mailroom_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "UMBRELLA" "HEADERS;LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mailroom_library(${target}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  string(REGEX REPLACE "^mailroom_" "" short ${target})
  add_library(mailroom::${short} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${short})
  get_target_property(type ${target} TYPE)
  set(scope PUBLIC)
  if(type STREQUAL INTERFACE_LIBRARY)
    set(scope INTERFACE)
  else()
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:mailroom_flags>)
    mailroom_precompiled(${target})
  endif()
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  list(TRANSFORM arg_HEADERS PREPEND "${PROJECT_BINARY_DIR}/mailroom/${folder}/")
  target_sources(${target} ${scope}
    FILE_SET HEADERS BASE_DIRS "${PROJECT_BINARY_DIR}" FILES ${arg_HEADERS})
  set(file_sets FILE_SET HEADERS)
  if(arg_UMBRELLA)
    # Beside the link build/<preset>/mailroom, which leads into the source tree.
    set(umbrella "${PROJECT_BINARY_DIR}/umbrella")
    configure_file("${arg_UMBRELLA}" "${umbrella}/mailroom/mailroom.hpp" COPYONLY)
    target_sources(${target} ${scope} FILE_SET umbrella TYPE HEADERS
      BASE_DIRS "${umbrella}" FILES "${umbrella}/mailroom/mailroom.hpp")
    list(APPEND file_sets FILE_SET umbrella)
  endif()
  target_compile_features(${target} ${scope} cxx_std_20)
  if(arg_LINKS)
    target_link_libraries(${target} ${arg_LINKS})
  endif()
  install(TARGETS ${target} EXPORT mailroom ${file_sets})
  set_property(GLOBAL APPEND PROPERTY mailroom_libraries ${target})
endfunction()

# mailroom_private_library(<target> SOURCES <file>... [LINKS PUBLIC|PRIVATE <target>...])
#
# Not part of mailroom::mailroom: nobody outside of the tree builds upon it.
function(mailroom_private_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_library(${target} STATIC ${arg_SOURCES})
  target_include_directories(${target} PUBLIC "${PROJECT_BINARY_DIR}")
  target_link_libraries(${target} PRIVATE mailroom_flags ${arg_LINKS})
  mailroom_precompiled(${target})
endfunction()

# mailroom_program(<target> SOURCES <file>... [LINKS <target>...] [OUTPUT_NAME <name>] [INSTALL])
function(mailroom_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "INSTALL" "OUTPUT_NAME" "SOURCES;LINKS")
  add_executable(${target} ${arg_SOURCES})
  target_include_directories(${target} PRIVATE "${PROJECT_BINARY_DIR}")
  target_link_libraries(${target} PRIVATE mailroom_flags ${arg_LINKS})
  mailroom_precompiled(${target})
  if(arg_OUTPUT_NAME)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME "${arg_OUTPUT_NAME}")
  endif()
  if(arg_INSTALL)
    install(TARGETS ${target})
  endif()
endfunction()

# mailroom_test(<target> SOURCES <file>... [LINKS <target>...] [LABELS <label>...]
#               [TIMEOUT <seconds>] [SERIAL] [PER_EXECUTABLE])
#
# A Boost.Test program; sources that are built together are in namespaces of their own. Every case becomes the CTest test <suite>.<case>; with PER_EXECUTABLE the
# program is one test named <target>. SERIAL: nothing else runs beside it. The folder below tests/
# is always a label; `long` keeps a test out of the everyday run.
function(mailroom_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL;PER_EXECUTABLE" "TIMEOUT" "SOURCES;LINKS;LABELS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mailroom_test(${target}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  mailroom_program(${target}
    SOURCES ${arg_SOURCES} LINKS ${arg_LINKS} mailroom_tests_main Boost::unit_test_framework)
  target_compile_definitions(${target} PRIVATE BOOST_TEST_DYN_LINK)

  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}/tests" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REGEX REPLACE "/.*" "" first "${folder}")
  set(labels ${first} ${arg_LABELS})
  list(REMOVE_DUPLICATES labels)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT ${MAILROOM_TEST_TIMEOUT})
  endif()
  set(arguments --catch_system_errors=no --color_output=no)

  if(arg_PER_EXECUTABLE)
    add_test(NAME ${target} COMMAND ${target} ${arguments})
    set_tests_properties(${target} PROPERTIES
      LABELS "${labels}" TIMEOUT ${arg_TIMEOUT} RUN_SERIAL ${arg_SERIAL})
    return()
  endif()

  set(cases "${CMAKE_CURRENT_BINARY_DIR}/${target}_cases.cmake")
  set(script "${PROJECT_SOURCE_DIR}/tools/cmake/discover_tests.cmake")
  add_custom_command(TARGET ${target} POST_BUILD
    BYPRODUCTS "${cases}"
    COMMAND "${CMAKE_COMMAND}"
      "-Dprogram=$<TARGET_FILE:${target}>" "-Dname=${target}" "-Doutput=${cases}"
      "-Darguments=${arguments}" "-Dlabels=${labels}" "-Dtimeout=${arg_TIMEOUT}"
      "-Dserial=${arg_SERIAL}" -P "${script}"
    VERBATIM)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${script}")
  # A test that was not built fails under its own name instead of vanishing.
  set(guard "${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake")
  file(WRITE "${guard}.new"
    "if(EXISTS \"${cases}\")\n  include(\"${cases}\")\nelse()\n"
    "  add_test(${target}.was_not_built ${target}.was_not_built)\nendif()\n")
  file(COPY_FILE "${guard}.new" "${guard}" ONLY_IF_DIFFERENT)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${guard}")
endfunction()

# mailroom_fuzz(<target> SOURCES <file> LINKS <target>...): a libFuzzer program, in the fuzz preset only.
function(mailroom_fuzz target)
  if(MAILROOM_FUZZ)
    mailroom_program(${target} ${ARGN})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()
