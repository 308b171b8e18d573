# Run by cpack on the files of a package before it is made: puts them where Debian wants them.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
    return()
endif()
set(share "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share")
set(doc "${share}/doc/finally-run")

# Zsh of Debian does not look into site-functions below /usr.
file(RENAME "${share}/zsh/site-functions" "${share}/zsh/vendor-completions")

file(READ "${CPACK_FINALLY_RUN_SOURCE}/LICENSE" license)
string(REGEX MATCH "Copyright \\(c\\) ([^\n]+)" copyright "${license}")
set(holder "${CMAKE_MATCH_1}")
string(REGEX REPLACE "^.*\n(Permission is hereby)" "\\1" license "${license}")
string(REGEX REPLACE "\n\n" "\n.\n" license "${license}")
string(REGEX REPLACE "\n$" "" license "${license}")
string(REGEX REPLACE "\n" "\n " license "${license}")
file(
    WRITE "${doc}/copyright"
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
    "Files: *\nCopyright: ${holder}\nLicense: Expat\n ${license}\n"
)
file(REMOVE "${doc}/LICENSE")

# In C, because a date in Debian's changelog is English.
set(ENV{LC_ALL} C)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # of SOURCE_DATE_EPOCH, if that is set
file(
    WRITE "${doc}/changelog.Debian"
    "finally-run (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
    "  * Built from the source; the changes are in changelog.gz.\n\n"
    " -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n"
)
file(RENAME "${doc}/CHANGELOG.md" "${doc}/changelog")
execute_process(
    COMMAND gzip -9n "${doc}/changelog" "${doc}/changelog.Debian" "${share}/man/man1/finally-run.1"
            "${share}/man/man7/finally-run-lock.7"
    COMMAND_ERROR_IS_FATAL ANY
)

file(
    WRITE "${share}/lintian/overrides/finally-run"
    "# It starts three times as fast so, and can be copied into any container.\n"
    "finally-run: statically-linked-binary [usr/bin/finally-run]\n"
    "# Nobody has asked Debian for it.\n"
    "finally-run: initial-upload-closes-no-bugs *\n"
)
if(CPACK_DEBIAN_PACKAGE_MAINTAINER MATCHES "@localhost>")
    file(
        APPEND "${share}/lintian/overrides/finally-run"
        "# Made where it is installed, with no maintainer to write to.\n"
        "finally-run: bogus-mail-host *\n"
        "finally-run: bogus-mail-host-in-debian-changelog *\n"
    )
endif()
file(CHMOD_RECURSE "${share}" FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ
     DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE
)
