# cmake --install and find_package(mailroom) -> mailroom::mailroom.

include(CMakePackageConfigHelpers)

# All libraries behind one name.
add_library(mailroom_all INTERFACE)
add_library(mailroom::mailroom ALIAS mailroom_all)
set_target_properties(mailroom_all PROPERTIES EXPORT_NAME mailroom)
get_property(libraries GLOBAL PROPERTY mailroom_libraries)
list(TRANSFORM libraries REPLACE "^mailroom_" "mailroom::")
target_link_libraries(mailroom_all INTERFACE ${libraries})
install(TARGETS mailroom_all EXPORT mailroom)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/mailroom")
install(EXPORT mailroom NAMESPACE mailroom:: FILE mailroom-targets.cmake DESTINATION "${package_dir}")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/tools/cmake/mailroom-config.cmake.in"
  "${PROJECT_BINARY_DIR}/mailroom-config.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/mailroom-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/mailroom-config.cmake"
  "${PROJECT_BINARY_DIR}/mailroom-config-version.cmake"
  tools/cmake/FindCAF.cmake tools/cmake/FindZeroMQ.cmake tools/cmake/FindMsgpack.cmake
  DESTINATION "${package_dir}")
