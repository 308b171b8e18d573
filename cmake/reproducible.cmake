# Run by cpack on a package that it has made: makes it anew where it depends on the file system that it was made on.
if(CPACK_GENERATOR STREQUAL "TGZ")
    # The order of the files is that in which the file system lists them.
    cmake_path(GET CPACK_TEMPORARY_DIRECTORY FILENAME name)
    cmake_path(GET CPACK_TEMPORARY_DIRECTORY PARENT_PATH place)
    set(date now)
    if(NOT "$ENV{SOURCE_DATE_EPOCH}" STREQUAL "")
        set(date "@$ENV{SOURCE_DATE_EPOCH}")
    endif()
    execute_process(
        COMMAND tar --create --format=ustar --sort=name --owner=root:0 --group=root:0 "--mtime=${date}"
                "--directory=${place}" "${name}"
        COMMAND gzip -9n
        OUTPUT_FILE "${CPACK_PACKAGE_FILES}"
        COMMAND_ERROR_IS_FATAL ANY
    )
elseif(CPACK_GENERATOR STREQUAL "DEB")
    # Installed-Size counts what the file system needs for directories; Debian's own tools count 1 KiB for each.
    set(tree "${CPACK_TEMPORARY_DIRECTORY}.tree")
    execute_process(COMMAND dpkg-deb --raw-extract "${CPACK_PACKAGE_FILES}" "${tree}" COMMAND_ERROR_IS_FATAL ANY)
    file(GLOB_RECURSE entries LIST_DIRECTORIES true "${tree}/usr/*")
    set(size 1)
    foreach(entry IN LISTS entries)
        set(bytes 1024)
        if(NOT IS_DIRECTORY "${entry}")
            file(SIZE "${entry}" bytes)
        endif()
        math(EXPR size "${size} + (${bytes} + 1023) / 1024")
    endforeach()
    file(READ "${tree}/DEBIAN/control" control)
    string(REGEX REPLACE "Installed-Size: [0-9]+" "Installed-Size: ${size}" control "${control}")
    file(WRITE "${tree}/DEBIAN/control" "${control}")
    set(CPACK_TEMPORARY_INSTALL_DIRECTORY "${tree}")
    include("${CPACK_FINALLY_RUN_SOURCE}/cmake/staged.cmake")
    execute_process(
        COMMAND dpkg-deb --root-owner-group -Zxz --build "${tree}" "${CPACK_PACKAGE_FILES}"
        OUTPUT_QUIET
        COMMAND_ERROR_IS_FATAL ANY
    )
endif()
