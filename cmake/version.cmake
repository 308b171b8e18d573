# Writes version.cpp, only if it changes: cmake -D SOURCE=DIR -D NUMBER=1.2.3 -D OUTPUT=FILE -P version.cmake
set(VERSION "${NUMBER}")

# Not that of a repository around it: a released archive may be unpacked into one.
if(EXISTS "${SOURCE}/.git")
    find_program(GIT git)
endif()
if(GIT)
    # The tree may belong to somebody else than to whoever builds, as in a container; git would not look at it then.
    execute_process(
        COMMAND "${GIT}" -c "safe.directory=${SOURCE}" "--git-dir=${SOURCE}/.git" "--work-tree=${SOURCE}"
                describe --always --abbrev=12 --exclude=* --dirty=-changed
        WORKING_DIRECTORY "${SOURCE}"
        OUTPUT_VARIABLE commit
        OUTPUT_STRIP_TRAILING_WHITESPACE
        ERROR_QUIET
        RESULT_VARIABLE status
    )
    if(status EQUAL 0 AND commit MATCHES "^[0-9a-f]+(-changed)?$")
        string(APPEND VERSION " (${commit})")
    endif()
endif()
configure_file("${SOURCE}/src/text/version.cpp.in" "${OUTPUT}" @ONLY)
