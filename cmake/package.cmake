# What `cpack` makes: an archive to unpack anywhere, and a package for Debian.
set(CPACK_GENERATOR TGZ DEB)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGE_NAME finally-run)
set(CPACK_PACKAGE_VENDOR "the finally-run authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs a command and guarantees its cleanups")
set(CPACK_PACKAGE_DESCRIPTION
    "finally-run runs a command under locks, with setups before it and cleanups
after it. The cleanups run after success, failure, a signal, a time limit, a
vanished caller, a kill -9 of finally-run itself, and a reboot."
)
set(CPACK_PACKAGE_FILE_NAME "finally-run-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR}-linux")
set(CPACK_STRIP_FILES ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "etcd-client, openssh-client, postgresql-client") # for the lock helpers
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
if(NOT FINALLY_RUN_STATIC)
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "finally-run authors <finally-run@localhost>"
    CACHE STRING "Who answers for the Debian package: Name <address>"
)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/debian.cmake")
set(CPACK_FINALLY_RUN_SOURCE "${PROJECT_SOURCE_DIR}")
include(CPack)
