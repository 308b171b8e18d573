# Run by cpack on the files of a package before it is made: umask and clock leave no trace in it.
file(
    CHMOD_RECURSE "${CPACK_TEMPORARY_INSTALL_DIRECTORY}"
    DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE
)
if(NOT "$ENV{SOURCE_DATE_EPOCH}" STREQUAL "")
    # rpm and dpkg-deb would leave what is older as it is.
    execute_process(
        COMMAND find "${CPACK_TEMPORARY_INSTALL_DIRECTORY}" -exec touch --date "@$ENV{SOURCE_DATE_EPOCH}" {} +
        COMMAND_ERROR_IS_FATAL ANY
    )
endif()
