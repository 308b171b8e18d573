#include "cleanup/fresh_directory.hpp"

#include "cleanup/remove_tree.hpp"
#include "os/error.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>

namespace finally_run::cleanup {

FreshDirectory::FreshDirectory() : m_path(temp_parent() + "/finally-run.XXXXXX") {
    if (::mkdtemp(m_path.data()) == nullptr) {
        os::throw_errno("temporary directory", m_path);
    }
    m_fd = os::Fd(::open(m_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!m_fd) {
        os::throw_errno("temporary directory", m_path);
    }
}

FreshDirectory::~FreshDirectory() {
    try {
        static_cast<void>(remove_tree(AT_FDCWD, m_path));
    } catch (...) { // out of memory: an empty directory stays in /tmp
    }
}

std::string temp_parent() {
    const char* const parent = std::getenv("TMPDIR");
    const bool usable = parent != nullptr && parent[0] != '\0';
    return std::filesystem::absolute(usable ? parent : "/tmp").native();
}

} // namespace finally_run::cleanup
