#include "cleanup/remove_tree.hpp"

#include "os/error.hpp"
#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::cleanup {

namespace {

// How often a directory is read again because something has appeared in it meanwhile.
constexpr int most_rounds = 100;

constexpr int open_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct Identity {
    dev_t device;
    ino_t inode;
    bool operator==(const Identity&) const = default;
};

struct Entry {
    Identity identity;
    mode_t mode;
    uid_t owner;
    bool mount_root;

    [[nodiscard]] bool is_directory() const { return S_ISDIR(mode); }
};

// nullopt with errno. With an empty name: the directory itself.
std::optional<Entry> stat_entry(int directory, const char* name) {
    struct statx found {};
    const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
    if (statx(directory, name, flags, STATX_TYPE | STATX_MODE | STATX_UID | STATX_INO, &found) != 0) {
        return std::nullopt;
    }
    return Entry{{makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino},
                 found.stx_mode,
                 found.stx_uid,
                 (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

// A directory on the way down to the current one.
struct Level {
    std::string name; // in the directory above
    Identity identity;
    std::vector<std::string> subdirectories; // seen and not yet entered
    int rounds = 0;
    bool leftovers = false; // something in it cannot be removed, so it cannot go either
};

// Goes through the tree with one open directory: down by name, and up by "..", where it must find the directory it came
// from. (Descriptors for all levels would run out, and so would the stack of a recursion.)
class Remover {
public:
    Remover(int base, std::string name) : m_base(base) {
        const auto above = stat_entry(base, "");
        m_device = above ? above->identity.device : 0;
        if (remove_entry(base, name)) {
            enter(base, std::move(name));
            while (!m_levels.empty() && !m_lost) {
                step();
            }
        }
    }

    [[nodiscard]] std::optional<std::string> complaint() const {
        if (m_failures == 0) {
            return std::nullopt;
        }
        return m_failures == 1 ? m_first : fmt::format("{} (and {} more)", m_first, m_failures - 1);
    }

private:
    void step() {
        Level& level = m_levels.back();
        if (!level.subdirectories.empty()) {
            std::string next = std::move(level.subdirectories.back());
            level.subdirectories.pop_back();
            enter(m_current.get(), std::move(next));
        } else if (level.rounds == 0) {
            scan();
        } else {
            leave();
        }
    }

    // Removes what is not a directory; true for a directory that may be entered.
    bool remove_entry(int directory, const std::string& name) {
        const auto entry = stat_entry(directory, name.c_str());
        if (!entry) {
            if (errno != ENOENT) {
                fail(name, os::error_text(errno));
            }
            return false;
        }
        if (!may_remove(*entry, name)) {
            return false;
        }
        if (entry->is_directory()) {
            // A failure shows when the directory is opened.
            const bool needs_more = (entry->mode & S_IRWXU) != S_IRWXU;
            [[maybe_unused]] const int result =
                needs_more ? fchmodat(directory, name.c_str(), S_IRWXU, AT_SYMLINK_NOFOLLOW) : 0;
            return true;
        }
        if (unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT) {
            fail(name, os::error_text(errno));
        }
        return false;
    }

    bool may_remove(const Entry& entry, const std::string& name) {
        if (entry.owner != geteuid()) {
            fail(name, fmt::format("belongs to another user (uid {})", entry.owner));
            return false;
        }
        // The device tells of directories alone: overlayfs has other devices for files of its lower layers.
        if (entry.mount_root || (entry.is_directory() && entry.identity.device != m_device)) {
            fail(name, "is a mount point");
            return false;
        }
        return true;
    }

    void enter(int directory, std::string name) {
        os::Fd next(openat(directory, name.c_str(), open_flags));
        if (!next) {
            if (errno != ENOENT) {
                fail(name, os::error_text(errno));
            }
            return;
        }
        // Asked again of the open directory: the name may have been given to another one meanwhile.
        const auto entry = stat_entry(next.get(), "");
        if (!entry) {
            fail(name, os::error_text(errno));
        } else if (may_remove(*entry, name)) {
            m_levels.push_back({std::move(name), entry->identity, {}});
            m_current = std::move(next);
        }
    }

    void scan() {
        ++m_levels.back().rounds;
        alignas(dirent64) std::array<char, 32768> buffer;
        for (;;) {
            const ssize_t size = getdents64(m_current.get(), buffer.data(), buffer.size());
            if (size < 0 && errno != ENOENT) { // ENOENT: someone else has removed the directory
                fail(".", os::error_text(errno));
            }
            if (size <= 0) {
                return;
            }
            for (ssize_t at = 0; at < size;) {
                const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
                at += entry->d_reclen;
                std::string name(entry->d_name);
                if (name != "." && name != ".." && remove_entry(m_current.get(), name)) {
                    m_levels.back().subdirectories.push_back(std::move(name));
                }
            }
        }
    }

    // Removes the current directory, now empty, and goes on in the one above.
    void leave() {
        const bool top = m_levels.size() == 1;
        os::Fd above(top ? -1 : openat(m_current.get(), "..", open_flags));
        if (!top) {
            const auto entry = above ? stat_entry(above.get(), "") : std::nullopt;
            if (!entry || entry->identity != m_levels[m_levels.size() - 2].identity) {
                fail(".", "was moved while it was being removed");
                m_lost = true;
                return;
            }
        }
        Level& level = m_levels.back();
        bool leftovers = level.leftovers;
        if (!leftovers && unlinkat(top ? m_base : above.get(), level.name.c_str(), AT_REMOVEDIR) != 0 &&
            errno != ENOENT) {
            const int error = errno;
            if ((error == ENOTEMPTY || error == EEXIST) && level.rounds < most_rounds) {
                lseek(m_current.get(), 0, SEEK_SET);
                scan();
                return;
            }
            fail(".", os::error_text(error));
            leftovers = true;
        }
        m_levels.pop_back();
        m_current = std::move(above);
        if (!m_levels.empty()) {
            m_levels.back().leftovers |= leftovers;
        }
    }

    // `name` is in the current directory; "." is that directory.
    void fail(const std::string& name, std::string_view reason) {
        if (m_failures++ == 0) {
            std::string path;
            for (std::size_t i = 1; i < m_levels.size(); ++i) {
                path += m_levels[i].name + '/';
            }
            if (!m_levels.empty() && name != ".") {
                path += name;
            } else if (!path.empty()) {
                path.pop_back();
            }
            m_first = path.empty() ? std::string(reason) : fmt::format("{}: {}", path, reason);
        }
        if (!m_levels.empty()) {
            m_levels.back().leftovers = true;
        }
    }

    int m_base;
    dev_t m_device = 0;
    std::vector<Level> m_levels;
    os::Fd m_current;
    bool m_lost = false;
    std::size_t m_failures = 0;
    std::string m_first;
};

} // namespace

std::optional<std::string> remove_tree(int directory, std::string_view path) {
    while (path.size() > 1 && path.ends_with('/')) {
        path.remove_suffix(1);
    }
    const auto slash = path.rfind('/');
    std::string name(path.substr(slash + 1));
    if (name.empty() || name == "." || name == "..") {
        return "has no name that could be removed";
    }
    const std::string parent(slash == std::string_view::npos ? "." : path.substr(0, slash + 1));
    const os::Fd base(openat(directory, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!base) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return std::nullopt;
        }
        return fmt::format("{}: {}", parent, os::error_text(errno));
    }
    return Remover(base.get(), std::move(name)).complaint();
}

} // namespace finally_run::cleanup
