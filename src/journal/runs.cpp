#include "journal/runs.hpp"

#include "os/error.hpp"
#include "os/state_dir.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace finally_run::journal {

namespace {

constexpr const char* directory_name = ".runs";
constexpr std::string_view journal_suffix = ".journal";
constexpr std::string_view told_suffix = ".left";

} // namespace

Runs::Runs(const std::filesystem::path& state_dir) : m_path(state_dir / directory_name) {
    const os::Fd checked = os::open_state_dir(state_dir);
    m_directory = os::open_state_dir(m_path);
}

bool Runs::exist(const std::filesystem::path& state_dir) {
    struct stat info = {};
    return ::stat((state_dir / directory_name).c_str(), &info) == 0 || errno != ENOENT;
}

std::vector<Item> Runs::items() const {
    // A descriptor of its own: the position in a directory belongs to the open file.
    const int fd = ::openat(m_directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        os::throw_errno("open", m_path.native());
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd), ::closedir);
    if (!directory) {
        const int error = errno;
        ::close(fd);
        os::throw_error(error, "open", m_path.native());
    }
    std::vector<Item> found;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(directory.get());
        if (entry == nullptr && errno != 0) {
            os::throw_errno("read", m_path.native());
        }
        if (entry == nullptr) {
            break;
        }
        const std::string_view name = entry->d_name;
        for (const std::string_view suffix : {journal_suffix, told_suffix}) {
            if (name.ends_with(suffix) && name.size() > suffix.size()) {
                found.push_back(
                    {std::string(name.substr(0, name.size() - suffix.size())), m_path / name, suffix == told_suffix});
            }
        }
    }
    std::sort(found.begin(), found.end(), [](const Item& a, const Item& b) { return a.id < b.id; });
    return found;
}

std::filesystem::path Runs::journal_of(std::string_view id) const {
    return m_path / std::string(id).append(journal_suffix);
}

std::filesystem::path Runs::log_of(std::string_view id) const { return m_path / std::string(id).append(".log"); }

void Runs::mark_told(const Item& item) const noexcept {
    const std::string name = item.id + std::string(told_suffix);
    ::renameat(m_directory.get(), item.path.filename().c_str(), m_directory.get(), name.c_str());
}

} // namespace finally_run::journal
