#include "journal/runs.hpp"

#include "os/error.hpp"
#include "os/state_dir.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace finally_run::journal {

namespace {

constexpr std::string_view told_suffix = ".told";

} // namespace

Runs::Runs(const std::filesystem::path& state_dir) : m_path(state_dir / runs_directory) {
    const os::Fd checked = os::open_state_dir(state_dir);
    m_directory = os::open_state_dir(m_path);
}

Runs Runs::nowhere(const std::filesystem::path& state_dir) {
    Runs runs;
    runs.m_path = state_dir / runs_directory;
    return runs;
}

bool Runs::exist(const std::filesystem::path& state_dir) {
    struct stat info = {};
    return ::stat((state_dir / runs_directory).c_str(), &info) == 0 || errno != ENOENT;
}

std::vector<Item> Runs::items(Marks marks) const {
    if (!m_directory) {
        return {};
    }
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
    std::vector<std::string> told;
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
        const auto id_before = [&](std::string_view suffix) {
            return std::string(name.substr(0, name.size() - suffix.size()));
        };
        if (name.ends_with(journal_suffix) && name.front() != '.') {
            found.push_back({id_before(journal_suffix), m_path / name, false});
        } else if (name.ends_with(told_suffix)) {
            told.push_back(id_before(told_suffix));
        }
    }
    std::ranges::sort(found, std::greater(), &Item::id);
    for (const std::string& id : told) {
        const auto item = std::ranges::lower_bound(found, id, std::greater(), &Item::id);
        if (item != found.end() && item->id == id) {
            item->told = true;
        } else if (marks == Marks::tidy) {
            forget_mark(id);
        }
    }
    return found;
}

std::filesystem::path Runs::journal_of(std::string_view id) const {
    return m_path / std::string(id).append(journal_suffix);
}

std::filesystem::path Runs::log_of(std::string_view id) const { return m_path / std::string(id).append(log_suffix); }

bool Runs::mark_told(std::string_view id) const noexcept {
    const std::string name = std::string(id).append(told_suffix);
    const os::Fd mark(::openat(m_directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    return static_cast<bool>(mark);
}

void Runs::forget_mark(std::string_view id) const noexcept {
    ::unlinkat(m_directory.get(), std::string(id).append(told_suffix).c_str(), 0);
}

} // namespace finally_run::journal
