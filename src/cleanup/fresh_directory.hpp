// Empty directories of our own: for --temp-dir, and for cleanups whose own is gone (never "/", never a stranger's).
#pragma once

#include "os/fd.hpp"

#include <string>

namespace finally_run::cleanup {

// Made in $TMPDIR, /tmp or /var/tmp with mode 0700, removed with all that is in it. Throws std::system_error if it
// cannot be made.
class FreshDirectory {
public:
    FreshDirectory();
    FreshDirectory(const FreshDirectory&) = delete;
    FreshDirectory& operator=(const FreshDirectory&) = delete;
    ~FreshDirectory();

    [[nodiscard]] int fd() const { return m_fd.get(); }

private:
    std::string m_path;
    os::Fd m_fd;
};

// A name in it that nobody can guess.
[[nodiscard]] std::string fresh_name(const std::string& parent);

// Makes it with mode 0700 whatever the umask (a set-group-ID bit may be inherited) and opens it: our own, or nothing.
// Throws std::system_error.
[[nodiscard]] os::Fd make_private_directory(const std::string& path);

// The directory that temporary ones are made in: $TMPDIR, else /tmp. Absolute.
[[nodiscard]] std::string temp_parent();

} // namespace finally_run::cleanup
