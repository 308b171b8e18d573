#include "cleanup/remove_tree.hpp"

#include "cleanup/walk.hpp"
#include "os/entry.hpp"
#include "os/error.hpp"
#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::cleanup {

namespace {

// How often a directory is read again because something has appeared in it meanwhile, and how much in all may appear.
constexpr int most_rounds = 100;
constexpr std::size_t most_newcomers = 100'000;

constexpr std::string_view mounted = "is a mount point";

constexpr int open_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// A directory on the way down to the current one.
struct Level {
    std::string name; // in the directory above
    os::FileId id;
    std::vector<std::string> subdirectories; // seen and not yet entered
    int rounds = 0;
    bool leftovers = false; // something in it cannot be removed, so it cannot go either
};

// Goes through the tree with one open directory: down by name, and up by "..", where it must find the directory it came
// from. (Descriptors for all levels would run out, and so would the stack of a recursion.)
class Remover {
public:
    Remover(int base, const Care& care) : m_base(base), m_others(care.others) {
        const auto above = os::look_at(base, "");
        m_device = above ? above->id.device : 0;
    }

    // `top`: what the name has to lead to, if it is a directory.
    void remove(std::string name, const os::FileId& top) {
        m_top = top;
        if (remove_entry(m_base, name)) {
            enter(m_base, std::move(name));
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
        if (m_newcomers >= most_newcomers) {
            fail(".", "is being filled as fast as it can be emptied");
            m_lost = true;
            return;
        }
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
        const auto entry = os::look_at(directory, name.c_str());
        if (!entry) {
            if (errno != ENOENT) {
                fail(name, os::error_text(errno));
            }
            return false;
        }
        if (!may_remove(*entry, name)) {
            return false;
        }
        m_newcomers += m_began != 0 && entry->born > m_began ? 1 : 0;
        if (entry->is_directory()) {
            const bool needs_more = (entry->mode & S_IRWXU) != S_IRWXU;
            if (needs_more && is_mounted_on(*entry, directory, name)) {
                return false;
            }
            if (needs_more) {
                // A failure shows when the directory is opened.
                [[maybe_unused]] const int changed = fchmodat(directory, name.c_str(), S_IRWXU, AT_SYMLINK_NOFOLLOW);
            }
            return true;
        }
        if (unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT) {
            fail(name, errno == EBUSY ? mounted : os::error_text(errno));
        }
        return false;
    }

    bool may_remove(const os::Entry& entry, const std::string& name) {
        // The top is always to be ours: in a directory that others may write to, it may have been exchanged.
        if (entry.owner != geteuid() && (m_others == Care::Others::stay || m_levels.empty())) {
            fail(name, fmt::format("belongs to another user (uid {})", entry.owner));
            return false;
        }
        // The device tells of directories alone: overlayfs has other devices for files of its lower layers.
        if (entry.mount_root.value_or(false) || (entry.is_directory() && entry.id.device != m_device)) {
            fail(name, mounted);
            return false;
        }
        return true;
    }

    // True, and said, if something is mounted on this directory or may be; also if it is gone by now.
    bool is_mounted_on(const os::Entry& entry, int directory, const std::string& name) {
        if (entry.mount_root) {
            return *entry.mount_root;
        }
        const os::MountPoint answer = os::remove_or_ask(directory, name.c_str());
        if (answer == os::MountPoint::yes) {
            fail(name, mounted);
        } else if (answer == os::MountPoint::unknown) {
            fail(name, fmt::format("{}, and nothing tells whether it is a mount point", os::error_text(errno)));
        }
        return answer != os::MountPoint::no;
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
        const auto entry = os::look_at(next.get(), "");
        if (!entry) {
            fail(name, os::error_text(errno));
            return;
        }
        if (!may_remove(*entry, name) || is_mounted_on(*entry, directory, name)) {
            return;
        }
        // The other answers were about the name: is it still that of what we have opened?
        const auto named = entry->mount_root ? std::nullopt : os::look_at(directory, name.c_str());
        const bool moved = !entry->mount_root && (!named || named->id != entry->id);
        if (moved || (m_levels.empty() && entry->id != m_top)) {
            fail(name, "was moved while it was being removed");
            return;
        }
        const bool top = m_levels.empty();
        if (top || (entry->mode & S_IRWXU) != S_IRWXU) {
            static_cast<void>(fchmod(next.get(), (entry->mode | S_IRWXU) & ALLPERMS));
        }
        if (const auto now = top ? os::look_at(next.get(), "") : std::nullopt) {
            m_began = now->changed; // just now, by the clock of its file system
        }
        m_levels.push_back({std::move(name), entry->id, {}});
        m_current = std::move(next);
    }

    void scan() {
        ++m_levels.back().rounds;
        alignas(dirent64) std::array<char, 32768> buffer;
        for (;;) {
            const ssize_t size = getdents64(m_current.get(), buffer.data(), buffer.size());
            if (size < 0 && errno != ENOENT) { // ENOENT: someone else has removed the directory
                fail(".", os::error_text(errno));
            }
            if (size <= 0 || m_newcomers >= most_newcomers) {
                return;
            }
            for (ssize_t at = 0; at < size && m_newcomers < most_newcomers;) {
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
            const auto entry = above ? os::look_at(above.get(), "") : std::nullopt;
            if (!entry || entry->id != m_levels[m_levels.size() - 2].id) {
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
    Care::Others m_others;
    os::FileId m_top;
    dev_t m_device = 0;
    std::int64_t m_began = 0;    // 0: not known
    std::size_t m_newcomers = 0; // entries that are younger
    std::vector<Level> m_levels;
    os::Fd m_current;
    bool m_lost = false;
    std::size_t m_failures = 0;
    std::string m_first;
};

// The directory that has the last name of the path in it; empty with errno.
os::Fd open_parent(int directory, std::string_view& parent, bool no_links) {
    if (no_links) {
        return open_without_links(directory, parent);
    }
    return os::Fd(openat(directory, std::string(parent).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

} // namespace

std::optional<std::string> remove_tree(int directory, std::string_view path, const Care& care) {
    while (path.size() > 1 && path.ends_with('/')) {
        path.remove_suffix(1);
    }
    const auto slash = path.rfind('/');
    std::string name(path.substr(slash + 1));
    if (name.empty() || name == "." || name == "..") {
        return "has no name that could be removed";
    }
    std::string_view parent = slash == std::string_view::npos ? "." : path.substr(0, slash + 1);
    const os::Fd base = open_parent(directory, parent, care.no_links);
    if (!base) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return std::nullopt;
        }
        return fmt::format("{}: {}", parent,
                           care.no_links && errno == ELOOP ? "has become a symbolic link" : os::error_text(errno));
    }
    os::FileId top;
    os::Fd target(openat(base.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (const auto found = target ? os::look_at(target.get(), "") : std::nullopt) {
        top = found->id;
        if (care.kept) {
            auto reason = found->is_directory() ? refuse_opened(directory, target.get(), *care.kept)
                                                : refuse_file_in(directory, base.get(), *care.kept);
            if (reason) {
                return reason;
            }
        }
    }
    target.reset();
    Remover remover(base.get(), care);
    remover.remove(std::move(name), top);
    return remover.complaint();
}

} // namespace finally_run::cleanup
