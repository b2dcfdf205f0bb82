# MessagePack for C++, header only (its CMake package changes its name from release to release): Msgpack::cxx.

find_path(Msgpack_INCLUDE_DIR msgpack.hpp)
mark_as_advanced(Msgpack_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Msgpack REQUIRED_VARS Msgpack_INCLUDE_DIR)

if(Msgpack_FOUND AND NOT TARGET Msgpack::cxx)
  add_library(Msgpack::cxx INTERFACE IMPORTED)
  set_target_properties(Msgpack::cxx PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${Msgpack_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES Boost::headers)
endif()
