#include "cleanup/fresh_directory.hpp"

#include "cleanup/remove_tree.hpp"
#include "os/error.hpp"
#include "os/random.hpp"
#include "os/variables.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::cleanup {

FreshDirectory::FreshDirectory() {
    const std::array<std::string, 3> parents{temp_parent(), "/tmp", "/var/tmp"};
    for (const std::string& parent : parents) {
        try {
            m_path = fresh_name(parent);
            m_fd = os::moved_high(make_private_directory(m_path));
            return;
        } catch (const std::system_error&) {
            if (&parent == &parents.back()) {
                throw;
            }
        }
    }
}

FreshDirectory::~FreshDirectory() {
    try {
        static_cast<void>(remove_tree(AT_FDCWD, m_path, {.others = Care::Others::go, .kept = {}}));
    } catch (...) { // out of memory: an empty directory stays in /tmp
    }
}

std::string fresh_name(const std::string& parent) { return parent + "/finally-run." + os::random_name(); }

os::Fd make_private_directory(const std::string& path) {
    constexpr std::string_view operation = "temporary directory";
    const mode_t mask = ::umask(0); // or it could take away what we need to open it
    const int made = ::mkdir(path.c_str(), S_IRWXU);
    ::umask(mask);
    if (made < 0) {
        os::throw_errno(operation, path);
    }
    const auto fail = [&](int error) {
        ::rmdir(path.c_str()); // only an empty one goes
        os::throw_error(error, operation, path);
    };
    // Where others may write to the directory around it, the name may lead to something else by now.
    os::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat found = {};
    if (!fd || ::fstat(fd.get(), &found) < 0) {
        fail(errno);
    }
    if (found.st_uid != ::geteuid()) {
        fail(EPERM);
    }
    // Inherited from the one around it: an access control list, or the set-group-ID bit, which does no harm.
    if ((found.st_mode & ACCESSPERMS) != S_IRWXU && ::fchmod(fd.get(), S_IRWXU) < 0) {
        fail(errno);
    }
    return fd;
}

std::string temp_parent() {
    const std::string_view parent = os::variable("TMPDIR");
    return std::filesystem::absolute(parent.empty() ? "/tmp" : parent).native();
}

} // namespace finally_run::cleanup
