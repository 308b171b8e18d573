// Tells when a file is opened: inotify(7).
#pragma once

#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <filesystem>
#include <sys/inotify.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::test {

class Opening {
public:
    explicit Opening(const std::filesystem::path& file) : m_fd(::inotify_init1(IN_CLOEXEC)) {
        if (::inotify_add_watch(m_fd.get(), file.c_str(), IN_OPEN) < 0) {
            throw std::system_error(errno, std::generic_category(), "inotify");
        }
    }
    // Until somebody has opened it since the last call.
    void wait() const {
        std::array<char, 4096> events{};
        static_cast<void>(::read(m_fd.get(), events.data(), events.size()));
    }

private:
    os::Fd m_fd;
};

} // namespace finally_run::test
