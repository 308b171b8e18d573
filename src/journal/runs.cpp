#include "journal/runs.hpp"

#include "journal/frame.hpp"
#include "os/error.hpp"
#include "os/state_dir.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
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

// Each for itself: to look one up in a text of all of them costs ten times that, and there are many.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_sign(char c) { return c == lock_sign || c == call_sign; }

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
        const bool is_tag =
            tag.size() == tag_size && is_sign(tag.front()) && std::ranges::all_of(tag.substr(1), is_hex);
        if (!is_tag || ours.find(tag) != ours.npos) {
            return true;
        }
    }
    return false;
}

// An id as new_run_id() makes it, in its order: the years from 2000 to 2063, what a date and a time need, 32 bits by
// chance. There may be ten thousands of them, and memory that is touched costs more than anything else here.
using Key = std::uint64_t;

struct Part {
    std::size_t begin;
    std::size_t digits;
    std::uint32_t least;
    unsigned bits;
};
constexpr std::array<Part, 6> parts_of_key{
    {{0, 4, 2000, 6}, {4, 2, 0, 4}, {6, 2, 0, 5}, {9, 2, 0, 5}, {11, 2, 0, 6}, {13, 2, 0, 6}}};
constexpr std::size_t hexadecimal_at = 16;
constexpr std::size_t id_size = hexadecimal_at + 8;

// nullopt: another id, or one that the key could not tell from others.
std::optional<Key> key_of(std::string_view id) {
    if (id.size() != id_size || id[8] != 'T' || id[15] != '-') {
        return std::nullopt;
    }
    Key key = 0;
    for (const Part& part : parts_of_key) {
        std::uint32_t number = 0;
        for (const char c : id.substr(part.begin, part.digits)) {
            if (!is_digit(c)) {
                return std::nullopt;
            }
            number = number * 10 + static_cast<std::uint32_t>(c - '0');
        }
        if (number < part.least || (number - part.least) >> part.bits != 0) {
            return std::nullopt;
        }
        key = key << part.bits | (number - part.least);
    }
    const std::string_view random = id.substr(hexadecimal_at);
    return std::ranges::all_of(random, is_hex) ? std::optional(key << 32 | hex_value(random)) : std::nullopt;
}

std::string id_of_key(Key key) {
    std::array<std::uint32_t, parts_of_key.size()> numbers{};
    Key rest = key >> 32;
    for (std::size_t at = numbers.size(); at-- > 0;) {
        const Part& part = parts_of_key[at];
        numbers[at] = static_cast<std::uint32_t>(rest & ((1U << part.bits) - 1)) + part.least;
        rest >>= part.bits;
    }
    return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}-{:08x}", numbers[0], numbers[1], numbers[2], numbers[3],
                       numbers[4], numbers[5], static_cast<std::uint32_t>(key));
}

// Grows in few steps: what is reserved and not written to costs nothing, what is copied does.
void add(std::vector<Key>& keys, Key key) {
    if (keys.size() == keys.capacity()) {
        keys.reserve(std::max<std::size_t>(512, 8 * keys.size()));
    }
    keys.push_back(key);
}

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
    std::vector<std::string> logs; // their ids
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
                add(runs, *key);
            } else {
                ids.emplace_back(name);
            }
        } else if (name.ends_with(log_suffix)) {
            logs.emplace_back(name.substr(0, name.size() - log_suffix.size()));
        } else if (name.ends_with(told_suffix)) {
            name.remove_suffix(told_suffix.size());
            const auto key = key_of(name.substr(0, id_size));
            const bool has_key = key && (name.size() == id_size || is_sign(name[id_size]));
            const std::string_view id = name.substr(0, has_key ? id_size : name.find_first_of(signs));
            name.remove_prefix(id.size());
            const bool is_mark = entry->d_type == DT_REG; // not every file system tells: then the journal is read
            if (has_key && tags && is_mark && !may_share(name, *tags)) {
                add(passed, *key);
            } else {
                told.push_back({std::string(id), std::string(name)});
            }
        }
    }
    std::ranges::sort(runs);
    std::ranges::sort(passed);
    std::size_t found = 0;
    auto mark = passed.begin();
    std::erase_if(runs, [&](Key key) {
        mark = std::find_if(mark, passed.end(), [&](Key one) { return one >= key; });
        const bool is_passed = mark != passed.end() && *mark == key;
        found += is_passed ? 1 : 0;
        return is_passed;
    });
    std::ranges::transform(runs, std::back_inserter(ids), id_of_key);
    std::ranges::sort(ids, std::greater());
    std::ranges::sort(logs);
    std::vector<Item> items;
    items.reserve(ids.size());
    for (const std::string& id : ids) {
        items.push_back({id, journal_of(id), false, std::ranges::binary_search(logs, id)});
    }
    for (const Mark& one : told) {
        const auto item = std::ranges::lower_bound(items, one.id, std::greater(), &Item::id);
        if (item != items.end() && item->id == one.id) {
            item->told = true;
        } else if (marks == Marks::tidy) {
            forget_mark(one.id, one.tags);
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
