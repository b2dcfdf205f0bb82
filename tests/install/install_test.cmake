# -Dbuild= -Dproject= -Dscratch= -Dcompiler= -Dlauncher= -Dsanitize=
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\nfailed (${status}):\n${out}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

# A prefix left from before could hide a header that is no longer installed.
file(REMOVE_RECURSE "${scratch}")
run("${CMAKE_COMMAND}" --install "${build}" --prefix "${scratch}/prefix")

set(flags "")
if(sanitize)
  set(flags "-fsanitize=${sanitize}")
endif()
run("${CMAKE_COMMAND}" -S "${project}" -B "${scratch}/build" -G Ninja
  "-DCMAKE_PREFIX_PATH=${scratch}/prefix" "-DCMAKE_CXX_COMPILER=${compiler}"
  "-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}" "-DCMAKE_CXX_FLAGS=${flags}"
  -DCMAKE_BUILD_TYPE=RelWithDebInfo)
run("${CMAKE_COMMAND}" --build "${scratch}/build")
run("${scratch}/build/outside")
if(NOT out MATCHES "7, 17, bolt costs 7")
  message(FATAL_ERROR "the outside project said: ${out}")
endif()
file(REMOVE_RECURSE "${scratch}")
