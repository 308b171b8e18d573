#include "place.hpp"

#include <array>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>

namespace finally_run::bench {

Place::Place(std::filesystem::path directory)
    : m_directory(std::move(directory)), m_null(open_file("/dev/null", O_RDWR)),
      m_errors(open_file(path("errors"), O_RDWR | O_CREAT | O_APPEND)) {
    static_cast<void>(open_file(path("lock"), O_RDWR | O_CREAT));
}

Words Place::environment(const std::string& locale, const std::string& state) const {
    Words environment{"PATH=/usr/bin:/bin", "HOME=" + m_directory.native(), "TMPDIR=" + m_directory.native(),
                      "FINALLY_RUN_STATE_DIR=" + path(state)};
    if (!locale.empty()) {
        environment.push_back("LANG=" + locale);
    }
    return environment;
}

void Place::expect_silence() const {
    std::array<char, 1000> text{};
    const ssize_t size = ::pread(m_errors.get(), text.data(), text.size(), 0);
    if (size > 0) {
        throw std::runtime_error("a contender said: " + std::string(text.data(), static_cast<std::size_t>(size)));
    }
}

} // namespace finally_run::bench
