#include "journal/runs.hpp"

#include "journal/frame.hpp"
#include "os/error.hpp"
#include "os/state_dir.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <functional>
#include <iterator>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace finally_run::journal {

namespace {

constexpr std::string_view told_suffix = ".told";

// A mark is ID TAG... .told, without the blanks. A tag is a sign and a checksum.
constexpr char lock_sign = '+';
constexpr char call_sign = '=';
constexpr std::string_view signs = "+=";
constexpr std::size_t tag_size = 1 + 8;
constexpr std::size_t longest_tags = 12 * tag_size; // names of 143 bytes go everywhere, eCryptfs among it

std::string tag_of(char sign, std::string_view text) { return fmt::format("{}{:08x}", sign, crc32c(text)); }

std::string mark_of(std::string_view id, std::string_view tags) {
    return std::string(id).append(tags.size() <= longest_tags ? tags : std::string_view()).append(told_suffix);
}

// Whether a run whose mark has the tags `theirs` may have one of `ours`.
bool may_share(std::string_view theirs, std::string_view ours) {
    if (theirs.empty()) { // nothing is known of it
        return true;
    }
    for (; !theirs.empty(); theirs.remove_prefix(tag_size)) {
        const std::string_view tag = theirs.substr(0, tag_size);
        const bool is_tag = tag.size() == tag_size && signs.find(tag.front()) != signs.npos &&
                            tag.find_first_not_of("0123456789abcdef", 1) == tag.npos;
        if (!is_tag || ours.find(tag) != ours.npos) {
            return true;
        }
    }
    return false;
}

// An id as new_run_id() makes it, in its order. There may be ten thousands of them, and memory that is touched costs
// more than anything else here.
struct Key {
    std::uint32_t date;
    std::uint32_t time;
    std::uint32_t random;

    auto operator<=>(const Key&) const = default; // NOLINT(modernize-use-nullptr): of what this is made of
};

constexpr std::string_view shape_of_key = "ddddddddTdddddd-xxxxxxxx"; // digits and hexadecimal ones

std::optional<Key> key_of(std::string_view id) {
    const auto fits = [](char c, char shape) {
        const bool is_digit = c >= '0' && c <= '9';
        return shape == 'd' ? is_digit : shape == 'x' ? is_digit || (c >= 'a' && c <= 'f') : c == shape;
    };
    if (!std::ranges::equal(id, shape_of_key, fits)) {
        return std::nullopt;
    }
    const auto number = [&](std::size_t begin, std::size_t size, int base) {
        std::uint32_t value = 0;
        std::from_chars(id.data() + begin, id.data() + begin + size, value, base);
        return value;
    };
    return Key{number(0, 8, 10), number(9, 6, 10), number(16, 8, 16)};
}

std::string id_of_key(const Key& key) { return fmt::format("{:08}T{:06}-{:08x}", key.date, key.time, key.random); }

struct Mark {
    std::string id;
    std::string tags;
};

} // namespace

std::string tags_of(std::span<const LockId> locks) {
    std::string tags;
    for (const LockId& lock : locks) {
        tags += tag_of(lock_sign, lock.path);
        tags += tag_of(lock_sign, std::to_string(lock.device) + ':' + std::to_string(lock.inode));
    }
    return tags;
}

std::string tag_of_call(const Opened& opened) { return tag_of(call_sign, opened.place.path + '\0' + opened.command); }

std::string tags_of(const Opened& opened) { return tag_of_call(opened) + tags_of(opened.locks); }

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

std::vector<Item> Runs::items(Marks marks) const { return list(marks, std::nullopt); }

std::vector<Item> Runs::items_with(std::string_view tags, Marks marks) const { return list(marks, tags); }

std::vector<Item> Runs::list(Marks marks, std::optional<std::string_view> tags) const {
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
    std::vector<Key> runs;
    std::vector<Key> passed; // what a mark tells not to look at
    std::vector<std::string> ids;
    std::vector<Mark> told;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(directory.get());
        if (entry == nullptr && errno != 0) {
            os::throw_errno("read", m_path.native());
        }
        if (entry == nullptr) {
            break;
        }
        std::string_view name = entry->d_name;
        if (name.ends_with(journal_suffix) && name.front() != '.') {
            name.remove_suffix(journal_suffix.size());
            if (const auto key = key_of(name)) {
                runs.push_back(*key);
            } else {
                ids.emplace_back(name);
            }
        } else if (name.ends_with(told_suffix)) {
            name.remove_suffix(told_suffix.size());
            const std::string_view id = name.substr(0, name.find_first_of(signs));
            name.remove_prefix(id.size());
            const bool is_mark = entry->d_type == DT_REG; // not every file system tells: then the journal is read
            const auto key = tags && is_mark && !may_share(name, *tags) ? key_of(id) : std::nullopt;
            if (key) {
                passed.push_back(*key);
            } else {
                told.push_back({std::string(id), std::string(name)});
            }
        }
    }
    std::ranges::sort(runs);
    std::ranges::sort(passed);
    std::size_t found = 0;
    std::erase_if(runs, [&](const Key& key) {
        const bool is_passed = std::ranges::binary_search(passed, key);
        found += is_passed ? 1 : 0;
        return is_passed;
    });
    std::ranges::transform(runs, std::back_inserter(ids), id_of_key);
    std::ranges::sort(ids, std::greater());
    std::vector<Item> items;
    items.reserve(ids.size());
    for (const std::string& id : ids) {
        items.push_back({id, journal_of(id), false});
    }
    for (const Mark& mark : told) {
        const auto item = std::ranges::lower_bound(items, mark.id, std::greater(), &Item::id);
        if (item != items.end() && item->id == mark.id) {
            item->told = true;
        } else if (marks == Marks::tidy) {
            forget_mark(mark.id, mark.tags);
        }
    }
    if (found < passed.size() && marks == Marks::tidy) { // with their names this time
        static_cast<void>(list(marks, std::nullopt));
    }
    return items;
}

std::filesystem::path Runs::journal_of(std::string_view id) const {
    return m_path / std::string(id).append(journal_suffix);
}

std::filesystem::path Runs::log_of(std::string_view id) const { return m_path / std::string(id).append(log_suffix); }

bool Runs::mark_told(std::string_view id, std::string_view tags) const noexcept {
    const std::string name = mark_of(id, tags);
    const os::Fd mark(::openat(m_directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    return static_cast<bool>(mark);
}

void Runs::forget_mark(std::string_view id, std::string_view tags) const noexcept {
    for (const std::string_view said : {tags, std::string_view()}) { // whoever could not read it could not say more
        ::unlinkat(m_directory.get(), mark_of(id, said).c_str(), 0);
    }
}

} // namespace finally_run::journal
