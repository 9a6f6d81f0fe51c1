# Run by CPack before it closes the packages: what Debian wants in each of them beside the installed files. Manual pages
# are compressed, without a time, so that the same build gives the same bytes; /usr/share/doc holds the licence and a changelog.
file(GLOB roots LIST_DIRECTORIES true ${CPACK_TEMPORARY_DIRECTORY}/*)
foreach(root IN LISTS roots)
  if(NOT IS_DIRECTORY ${root}/usr)
    continue()
  endif()
  get_filename_component(group ${root} NAME)
  string(TOUPPER ${group} group)
  set(documents ${root}/usr/share/doc/${CPACK_DEBIAN_${group}_PACKAGE_NAME})
  file(MAKE_DIRECTORY ${documents})
  file(WRITE ${documents}/copyright "SpineRT, copyright by its authors, Apache-2.0: /usr/share/common-licenses/Apache-2.0\n")
  foreach(package IN ITEMS nlohmann-json3-dev libcli11-dev libstb-dev)  # compiled in
    if(EXISTS /usr/share/doc/${package}/copyright)
      file(READ /usr/share/doc/${package}/copyright notice)
      file(APPEND ${documents}/copyright "\nPart of it, from ${package}:\n\n${notice}")
    endif()
  endforeach()
  string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
  file(WRITE ${documents}/changelog "spinert (${CPACK_PACKAGE_VERSION}) unstable; urgency=low\n\n"
       "  * See CHANGELOG.md of the source.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  file(GLOB pages ${root}/usr/share/man/man1/*.1)
  execute_process(COMMAND gzip -9 -n -f ${pages} ${documents}/changelog COMMAND_ERROR_IS_FATAL ANY)
endforeach()
