# What `cpack` makes: an archive to unpack anywhere, and packages for Debian and for what has rpm.
set(CPACK_GENERATOR TGZ DEB RPM)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGE_NAME finally-run)
set(CPACK_PACKAGE_VENDOR "the finally-run authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs a command and guarantees its cleanups")
set(CPACK_PACKAGE_DESCRIPTION
    "finally-run runs a command under locks, with setups before it and cleanups
after it. The cleanups run after success, failure, a signal, a time limit, a
vanished caller, a kill -9 of finally-run itself, and a reboot."
)
set(debian_x86_64 amd64)
set(debian_aarch64 arm64)
set(machine "${debian_${CMAKE_SYSTEM_PROCESSOR}}") # as Debian and the images of containers call it
if(NOT machine)
    set(machine "${CMAKE_SYSTEM_PROCESSOR}")
endif()
set(CPACK_PACKAGE_FILE_NAME "finally-run-${PROJECT_VERSION}-linux-${machine}")
set(CPACK_STRIP_FILES ON)

# Else the packages would be said to be for the machine that they are made on.
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE "${machine}")
set(CPACK_RPM_PACKAGE_ARCHITECTURE "${CMAKE_SYSTEM_PROCESSOR}")

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_RELEASE 1)
set(CPACK_RPM_PACKAGE_LICENSE MIT)
set(CPACK_RPM_PACKAGE_GROUP Applications/System)
set(CPACK_RPM_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_RPM_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_COMPRESSION_TYPE xz) # which older ones can unpack too
# The directories of the system are not ours.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /usr/lib/systemd /usr/lib/systemd/user /usr/libexec /usr/share/bash-completion /usr/share/bash-completion/completions
    /usr/share/fish /usr/share/fish/vendor_completions.d /usr/share/man /usr/share/man/man1 /usr/share/man/man7
    /usr/share/zsh /usr/share/zsh/site-functions
)
# Nothing is changed after the install, where this machine's strip would be at a loss, and nothing tells who built it.
set(CPACK_RPM_SPEC_MORE_DEFINE
    "%define __os_install_post %{nil}
%define _build_id_links none
%define _buildhost localhost
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1"
)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_COMPRESSION_TYPE none) # reproducible.cmake compresses it
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "etcd-client, openssh-client, postgresql-client") # for the lock helpers
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
if(NOT FINALLY_RUN_STATIC)
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "finally-run authors <finally-run@localhost>"
    CACHE STRING "Who answers for the Debian package: Name <address>"
)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/debian.cmake" "${PROJECT_SOURCE_DIR}/cmake/staged.cmake")
set(CPACK_POST_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/reproducible.cmake")
set(CPACK_FINALLY_RUN_SOURCE "${PROJECT_SOURCE_DIR}")
include(CPack)
