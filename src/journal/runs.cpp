#include "journal/runs.hpp"

#include "journal/frame.hpp"
#include "os/error.hpp"
#include "os/state_dir.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <exception>
#include <fcntl.h>
#include <fmt/core.h>
#include <functional>
#include <iterator>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace finally_run::journal {

namespace {

// A run that was told of stands as .told/TAG/ID under each of its tags. A tag is a sign and a checksum.
constexpr char lock_sign = '+';
constexpr char call_sign = '=';
constexpr const char* no_tag = "+"; // of whose journal could not be read

std::string tag_of(char sign, std::string_view text) { return fmt::format("{}{:08x}", sign, crc32c(text)); }

std::string told(std::string_view name) { return std::string(told_directory).append("/").append(name); }

std::string told(std::string_view tag, std::string_view id) { return told(tag).append("/").append(id); }

std::string file_name(std::string_view id) { return std::string(id).append(journal_suffix); }

// Hands out each name in a directory; none if it is not there. `at` has the path `parent`.
template <class Take>
void each_name(const os::Fd& at, const std::string& name, const std::filesystem::path& parent, const Take& take) {
    const auto fail = [&](int error, const char* what) {
        os::throw_error(error, what, (name == "." ? parent : parent / name).native());
    };
    // A descriptor of its own: the position in a directory belongs to the open file.
    const int fd = ::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return;
    }
    if (fd < 0) {
        fail(errno, "open");
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd), ::closedir);
    if (!directory) {
        const int error = errno;
        ::close(fd);
        fail(error, "open");
    }
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(directory.get());
        if (entry == nullptr && errno != 0) {
            fail(errno, "read");
        }
        if (entry == nullptr) {
            return;
        }
        take(std::string_view(entry->d_name));
    }
}

// Of the name of a journal, not of one that is not published yet.
bool cut_to_id(std::string_view& name) {
    if (!name.ends_with(journal_suffix) || name.starts_with('.')) {
        return false;
    }
    name.remove_suffix(journal_suffix.size());
    return true;
}

// Whether it was not there. Throws std::system_error.
bool put_under(const std::filesystem::path& path, std::string_view id) {
    for (;;) {
        const os::Fd directory = os::open_state_dir(path);
        constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
        if (const os::Fd file(::openat(directory.get(), std::string(id).c_str(), flags, 0600)); file) {
            return true;
        }
        if (errno == EEXIST) {
            return false;
        }
        if (errno != ENOENT) { // else somebody has just taken the last one out of it
            os::throw_errno("create", (path / id).native());
        }
    }
}

bool is_dots(std::string_view name) { return name == "." || name == ".."; }

// One that was told of between two looks is seen twice, and so is one whose teller was killed. It counts as not told
// of: whoever tells finds out, and once more is better than never.
void put_newest_first(std::vector<Item>& items) {
    std::ranges::sort(items, std::greater(), [](const Item& item) { return std::pair(item.id, !item.told); });
    const auto is_same = [](const Item& one, const Item& other) { return one.id == other.id; };
    items.erase(std::unique(items.begin(), items.end(), is_same), items.end());
}

} // namespace

Tags tags_of(std::span<const LockId> locks) {
    Tags tags;
    tags.reserve(2 * locks.size());
    for (const LockId& lock : locks) {
        tags.push_back(tag_of(lock_sign, lock.path));
        tags.push_back(tag_of(lock_sign, std::to_string(lock.device) + ':' + std::to_string(lock.inode)));
    }
    return tags;
}

std::string tag_of_call(const Opened& opened) { return tag_of(call_sign, opened.place.path + '\0' + opened.command); }

Tags tags_of(const Opened& opened) {
    Tags tags = tags_of(opened.locks);
    tags.push_back(tag_of_call(opened));
    return tags;
}

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

std::vector<Item> Runs::items() const {
    std::vector<Item> items;
    if (!m_directory) {
        return items;
    }
    std::vector<std::string> logs; // their ids
    each_name(m_directory, ".", m_path, [&](std::string_view name) {
        if (cut_to_id(name)) {
            items.push_back({std::string(name), journal_of(name), false});
        } else if (name.ends_with(log_suffix)) {
            logs.emplace_back(name.substr(0, name.size() - log_suffix.size()));
        }
    });
    each_name(m_directory, told_directory, m_path, [&](std::string_view name) {
        if (cut_to_id(name)) {
            items.push_back({std::string(name), journal_of(name), true});
        }
    });
    put_newest_first(items);
    std::ranges::sort(logs);
    for (Item& item : items) {
        item.has_log = std::ranges::binary_search(logs, item.id);
    }
    return items;
}

std::vector<Item> Runs::items_with(const Tags& tags) const {
    std::vector<Item> items;
    if (!m_directory) {
        return items;
    }
    each_name(m_directory, ".", m_path, [&](std::string_view name) {
        if (cut_to_id(name)) {
            items.push_back({std::string(name), journal_of(name), false});
        }
    });
    // Only now, and whether it was seen above or not: one that has just been told of must be found in one of the two.
    if (::faccessat(m_directory.get(), told_directory, F_OK, 0) == 0 || errno != ENOENT) {
        for (const std::string& tag : tags) {
            std::ranges::move(told_under(tag), std::back_inserter(items));
        }
        std::ranges::move(told_under(no_tag), std::back_inserter(items));
    }
    put_newest_first(items);
    return items;
}

std::vector<Item> Runs::told_under(const std::string& tag) const {
    std::vector<Item> items;
    each_name(m_directory, told(tag), m_path, [&](std::string_view id) {
        if (is_dots(id)) {
            return;
        }
        Item item{std::string(id), journal_of(id), true};
        if (!is_there(item.path) && errno == ENOENT) {
            forget_tags(item.id, {tag});
        } else {
            items.push_back(std::move(item));
        }
    });
    return items;
}

void Runs::tidy() const {
    if (!m_directory) {
        return;
    }
    std::vector<std::string> tags;
    each_name(m_directory, told_directory, m_path, [&](std::string_view name) {
        if (!cut_to_id(name) && !is_dots(name)) {
            tags.emplace_back(name);
        }
    });
    for (const std::string& tag : tags) {
        static_cast<void>(told_under(tag));
        ::unlinkat(m_directory.get(), told(tag).c_str(), AT_REMOVEDIR); // whoever has emptied it may have been killed
    }
    ::unlinkat(m_directory.get(), told_directory, AT_REMOVEDIR);
}

std::filesystem::path Runs::journal_of(std::string_view id) const { return m_path / file_name(id); }

std::filesystem::path Runs::log_of(std::string_view id) const { return m_path / std::string(id).append(log_suffix); }

bool Runs::mark_told(std::string_view id, const Tags& tags) const noexcept {
    const std::string name = file_name(id);
    const std::string place = told(name);
    bool is_new = false;
    try {
        // First its tags: whoever does not see it among the others any more must find it there.
        for (const std::string& tag : tags.empty() ? Tags{no_tag} : tags) {
            is_new = put_under(m_path / told(tag), id) || is_new;
        }
        if (::renameat(m_directory.get(), name.c_str(), m_directory.get(), place.c_str()) == 0) {
            return true;
        }
    } catch (const std::exception&) { // no room, no right
    }
    if (::faccessat(m_directory.get(), place.c_str(), F_OK, 0) == 0) {
        return is_new && tags.empty();
    }
    forget_tags(id, tags); // it stays among the others, or is gone
    return ::faccessat(m_directory.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void Runs::forget_tags(std::string_view id, const Tags& tags) const noexcept {
    const auto forget = [&](const std::string& tag) {
        ::unlinkat(m_directory.get(), told(tag, id).c_str(), 0);
        ::unlinkat(m_directory.get(), told(tag).c_str(), AT_REMOVEDIR);
    };
    std::ranges::for_each(tags, forget);
    forget(no_tag); // whoever could not read it could not say more
    ::unlinkat(m_directory.get(), told_directory, AT_REMOVEDIR);
}

} // namespace finally_run::journal
