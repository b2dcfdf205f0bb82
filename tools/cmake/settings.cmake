# Settings of the whole tree: build type, warnings, sanitizers, speed of the build itself.

option(MAILROOM_WERROR "Warnings are errors (the presets say so; a plain build does not)" OFF)
option(MAILROOM_CORE_ONLY "Only what uses neither CAF nor ZeroMQ: framework, transports/local" OFF)
option(MAILROOM_PRECOMPILE "Parse the large headers of others once: a third less to compile" ON)
option(MAILROOM_UNITY "Compile the sources of a target several at a time: from nothing in half of the time, after a change in more" OFF)
option(MAILROOM_FUZZ "Build the libFuzzer targets (clang)" OFF)
set(MAILROOM_SANITIZE "" CACHE STRING "Value of -fsanitize= for everything in the tree")
set(MAILROOM_TEST_TIMEOUT 60 CACHE STRING "Seconds after which a test that names no time is killed")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

# Names and lines, which stacks and profiles show; variables would cost a third of the build.
if(CMAKE_CXX_FLAGS_RELWITHDEBINFO STREQUAL "-O2 -g -DNDEBUG")
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_UNITY_BUILD ${MAILROOM_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
include(GNUInstallDirs)

# The one spelling of our includes, in the tree and for users: <mailroom/framework/...>.
file(CREATE_LINK "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/mailroom" SYMBOLIC)

find_program(MAILROOM_CCACHE ccache)
if(MAILROOM_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  # What ccache's manual asks for with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${MAILROOM_CCACHE}")
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-fpch-preprocess)
  endif()
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # kB before g++ looks for garbage: it would do so many times, for a tenth of the build, to free little of the 0.4 to
  # 0.9 GB that a file of ours takes (a seventh more with this).
  add_compile_options(--param=ggc-min-heapsize=600000)
endif()
# Boost's targets say so too; with precompiled headers all sources must say the same.
add_compile_definitions(BOOST_ALL_NO_LIB)
find_program(MAILROOM_LLD ld.lld)
if(MAILROOM_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# Stacks of a stuck thread and profiles need frame pointers; they cost next to nothing.
add_compile_options(-fno-omit-frame-pointer)
if(MAILROOM_SANITIZE)
  add_compile_options(-fsanitize=${MAILROOM_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MAILROOM_SANITIZE})
endif()
if(MAILROOM_SANITIZE MATCHES "thread")
  # ThreadSanitizer does not know fences; Asio's stand beside mutexes and are not needed.
  add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()
if(MAILROOM_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # Instrumented code hides from g++ that a member is set; other builds look for these.
  set(instrumented -Wno-maybe-uninitialized)
endif()
if(MAILROOM_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Designated initializers name what they set and mean to leave the rest.
# g++ 12 sees null dereferences in its own <variant>, <streambuf> and <memory>, where clang looks for those, and copies
# beyond texts in its own <string>, here or there as the length of a path falls out (GCC bug 105651).
# Linked as PRIVATE $<BUILD_INTERFACE:mailroom_flags>, so that it reaches neither users nor the export.
add_library(mailroom_flags INTERFACE)
target_compile_options(mailroom_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi -Wformat=2 -Wundef
  -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wsuggest-override>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wshadow-all -Wdocumentation -Wnull-dereference>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-array-bounds -Wno-restrict>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:${MAILROOM_UNITY}>>:-Wno-subobject-linkage>
  ${instrumented}
  $<$<BOOL:${MAILROOM_WERROR}>:-Werror>)
