# Packages: `cpack` makes the .deb files of what cmake/library.cmake installs, script/package does it all.
#
#   spinert         program, decoder, demo model, manual pages, completion, documents, parts list (SBOM)
#   libspinert0     the shared library; the number is that of its name (SOVERSION)
#   libspinert-dev  headers, static library, files for CMake and pkg-config
set(made ${PROJECT_BINARY_DIR}/man/spinert.1)
add_custom_command(OUTPUT ${made} VERBATIM
  COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
  COMMAND sh ${PROJECT_SOURCE_DIR}/packaging/manual.sh $<TARGET_FILE:spinert> ${PROJECT_SOURCE_DIR}/docs/spinert.1
          > ${PROJECT_BINARY_DIR}/man/spinert.1
  DEPENDS spinert docs/spinert.1 packaging/manual.sh)

# The parts list names what this build was linked with, as the linker of this machine and its dpkg know it.
find_package(Python3 3.10 QUIET COMPONENTS Interpreter)
find_program(SPINERT_DPKG_QUERY dpkg-query)
if(Python3_Interpreter_FOUND AND SPINERT_DPKG_QUERY AND NOT SPINERT_SANITIZE)
  find_path(SPINERT_JSON_DIR nlohmann/json.hpp)
  find_path(SPINERT_CLI_DIR CLI/CLI.hpp)
  set(compiled_in ${SPINERT_JSON_DIR}/nlohmann/json.hpp ${SPINERT_CLI_DIR}/CLI/CLI.hpp ${SPINERT_STB_DIR}/stb_image.h)
  if(NOT benchmark_FOUND)  # CMakeLists.txt then links the C++ library into the programs
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libstdc++.a OUTPUT_VARIABLE libstdcxx
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    list(APPEND compiled_in ${libstdcxx})
  endif()
  if(SPINERT_HAS_CUDA)
    list(APPEND compiled_in cudart_static=${CUDAToolkit_VERSION})
  endif()
  set(files $<TARGET_FILE:spinert> $<TARGET_FILE:spinert_shared>)
  if(TARGET spinert-dicom)
    list(APPEND files $<TARGET_FILE:spinert-dicom>)
  endif()
  set(model ${PROJECT_SOURCE_DIR}/models/spine-demo.safetensors)
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/spinert.cdx.json VERBATIM
    COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/packaging/sbom.py --version ${PROJECT_VERSION} --file ${files}
            --compiled-in ${compiled_in} --model ${model} -o ${PROJECT_BINARY_DIR}/spinert.cdx.json
    DEPENDS ${files} ${model} packaging/sbom.py)
  list(APPEND made ${PROJECT_BINARY_DIR}/spinert.cdx.json)
else()
  message(STATUS "package: no parts list (SBOM) in this build: it needs Python 3.10 and dpkg-query, and no sanitizer")
endif()
add_custom_target(package_files ALL DEPENDS ${made})

# Optional, for an installation of the program where nothing else was built; the tests miss them.
install(FILES ${PROJECT_BINARY_DIR}/man/spinert.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program OPTIONAL)
if(TARGET spinert-dicom)
  install(FILES docs/spinert-dicom.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
endif()
install(FILES packaging/spinert.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME spinert
        COMPONENT program)
set(documents ${CMAKE_INSTALL_DATADIR}/doc/spinert)
install(DIRECTORY docs/ DESTINATION ${documents}/docs COMPONENT documents FILES_MATCHING PATTERN "*.md"
        PATTERN STATUS.md EXCLUDE)
install(FILES README.md DESTINATION ${documents} COMPONENT documents)
install(FILES ${PROJECT_BINARY_DIR}/spinert.cdx.json DESTINATION ${documents} COMPONENT documents OPTIONAL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "SpineRT <root@localhost>" CACHE STRING "maintainer of the packages: who builds them")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/package_files.cmake)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL program models documents library development)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # dependencies are what the files load, by dpkg-shlibdeps
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(soname libspinert${PROJECT_VERSION_MAJOR})
set(note "Research use only. Not for diagnostic use.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME spinert)
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "The program, with a demo model that was trained on synthetic slices.\n${note}")
set(CPACK_DEBIAN_SHARED_PACKAGE_NAME ${soname})
set(CPACK_DEBIAN_SHARED_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_SHARED_PACKAGE_SUGGESTS spinert)  # its decoder and demo model are found there
set(CPACK_DEBIAN_SHARED_DESCRIPTION "The library with a C interface.\n${note}")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libspinert-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${soname} (= ${PROJECT_VERSION}), libssl-dev, zlib1g-dev")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "Headers, static library, files for CMake and pkg-config.\n${note}")

include(CPack)
foreach(pair IN ITEMS program:tools models:tools documents:tools library:shared development:development)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 group)
  cpack_add_component(${component} GROUP ${group})
endforeach()
