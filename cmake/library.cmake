# libspinert: the C interface of api/spinert.h with all layers that it needs, shared and static, and the installation:
#
#   bin/spinert, libexec/spinert/spinert-dicom        the programs
#   lib/libspinert.so.0, lib/libspinert.a             lib or lib/<architecture>, as CMAKE_INSTALL_LIBDIR says
#   include/spinert.h                                 the interface that is kept compatible
#   include/spinert/...                               the C++ headers, for libspinert.a of the same version alone
#   lib/cmake/spinert, lib/pkgconfig/spinert.pc       find_package(spinert CONFIG), pkg-config spinert
#   share/spinert                                     schemas, the demo model (component "models")
# cmake/package.cmake adds manual pages and documents.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(layers spinert_api spinert_diagnosis spinert_runtime spinert_graph spinert_weights spinert_config spinert_kernels
    spinert_cuda)
set(objects)
foreach(layer IN LISTS layers)
  list(APPEND objects $<TARGET_OBJECTS:${layer}>)
endforeach()
set(libraries Threads::Threads ZLIB::ZLIB OpenSSL::Crypto)
if(SPINERT_HAS_CUDA)
  find_package(CUDAToolkit REQUIRED)
  list(APPEND libraries CUDA::cudart_static)
endif()

add_library(spinert_shared SHARED ${objects})
add_library(spinert_static STATIC ${objects})
set_target_properties(spinert_shared spinert_static PROPERTIES OUTPUT_NAME spinert LINKER_LANGUAGE CXX)
set_target_properties(spinert_shared PROPERTIES EXPORT_NAME spinert)
set_target_properties(spinert_static PROPERTIES EXPORT_NAME static)
if(NOT SKBUILD)  # a wheel keeps no links between files
  set_target_properties(spinert_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
endif()
target_link_libraries(spinert_shared PRIVATE ${libraries})
target_link_libraries(spinert_static PRIVATE ${libraries})
set(map ${PROJECT_SOURCE_DIR}/api/spinert.map)
target_link_options(spinert_shared PRIVATE -Wl,--version-script=${map} -Wl,--no-undefined)
set_target_properties(spinert_shared PROPERTIES LINK_DEPENDS ${map})
if(SPINERT_SANITIZE)
  target_link_options(spinert_shared PRIVATE -fsanitize=address,undefined -Wl,-z,undefs)
  target_link_options(spinert_static INTERFACE -fsanitize=address,undefined)
endif()
foreach(target IN ITEMS spinert_shared spinert_static)
  target_include_directories(${target} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

install(TARGETS spinert DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
if(TARGET spinert-dicom)
  install(TARGETS spinert-dicom DESTINATION libexec/spinert COMPONENT program)
endif()
install(TARGETS spinert_shared EXPORT spinert LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
        NAMELINK_COMPONENT development)
install(TARGETS spinert_static EXPORT spinert ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(FILES api/spinert.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(DIRECTORY kernels config weights graph runtime diagnosis COMPONENT development
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/spinert FILES_MATCHING PATTERN "*.h" PATTERN "*.def")
install(FILES diagnosis/report/report.schema.json diagnosis/evaluation/evaluation.schema.json
        DESTINATION ${CMAKE_INSTALL_DATADIR}/spinert COMPONENT program)
install(FILES models/spine-demo.safetensors models/spine-demo.calibration.json
        DESTINATION ${CMAKE_INSTALL_DATADIR}/spinert COMPONENT models)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/spinert)
configure_package_config_file(cmake/spinert-config.cmake.in ${PROJECT_BINARY_DIR}/spinert-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/spinert-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/spinert-config.cmake ${PROJECT_BINARY_DIR}/spinert-config-version.cmake
        DESTINATION ${package_dir} COMPONENT development)
install(EXPORT spinert NAMESPACE spinert:: FILE spinert-targets.cmake DESTINATION ${package_dir} COMPONENT development)

set(pc_private "-lstdc++ -lpthread -lm")
if(SPINERT_HAS_CUDA)
  string(APPEND pc_private " -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lrt -ldl")
endif()
file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)  # the installed tree may be moved
configure_file(cmake/spinert.pc.in ${PROJECT_BINARY_DIR}/spinert.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/spinert.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
