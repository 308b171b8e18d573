// Tells when a file is opened: inotify(7).
#pragma once

#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/inotify.h>
#include <sys/ioctl.h>
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
    // How often it has been opened since the last call, or the files in it if it is a directory; what is opened twice
    // in a row counts once.
    [[nodiscard]] unsigned count() const {
        unsigned opened = 0;
        for (int left = 0; ::ioctl(m_fd.get(), FIONREAD, &left) == 0 && left > 0;) {
            alignas(inotify_event) std::array<char, 4096> events{};
            const ssize_t size = ::read(m_fd.get(), events.data(), events.size());
            for (ssize_t at = 0; at < size; ++opened) {
                inotify_event event{};
                std::memcpy(&event, events.data() + at, sizeof event);
                at += static_cast<ssize_t>(sizeof event + event.len);
            }
        }
        return opened;
    }

private:
    os::Fd m_fd;
};

} // namespace finally_run::test
