# Run by cpack on the files of a package before it is made: its directories are the same whatever the umask is.
file(
    CHMOD_RECURSE "${CPACK_TEMPORARY_INSTALL_DIRECTORY}"
    DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE
)
