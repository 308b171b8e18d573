#include "cleanup/fresh_directory.hpp"

#include "cleanup/remove_tree.hpp"
#include "os/error.hpp"
#include "os/variables.hpp"

#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace finally_run::cleanup {

FreshDirectory::FreshDirectory() {
    for (const std::string& parent : {temp_parent(), std::string("/tmp"), std::string("/var/tmp")}) {
        m_path = parent + "/finally-run.XXXXXX";
        if (::mkdtemp(m_path.data()) != nullptr) {
            m_fd = os::Fd(::open(m_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
            if (m_fd) {
                return;
            }
            ::rmdir(m_path.c_str());
        }
    }
    os::throw_errno("temporary directory", m_path);
}

FreshDirectory::~FreshDirectory() {
    try {
        static_cast<void>(remove_tree(AT_FDCWD, m_path));
    } catch (...) { // out of memory: an empty directory stays in /tmp
    }
}

std::string temp_parent() {
    const std::string_view parent = os::variable("TMPDIR");
    return std::filesystem::absolute(parent.empty() ? "/tmp" : parent).native();
}

} // namespace finally_run::cleanup
