#include "journal/ended.hpp"

#include "journal/record.hpp"
#include "journal/runs.hpp"
#include "os/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <functional>
#include <new>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::journal {

namespace {

constexpr std::size_t most_kept = 100;
constexpr std::chrono::days longest_kept(30);

// The last one first.
std::vector<EndedItem> all_items(const std::filesystem::path& state_dir) {
    std::vector<EndedItem> found;
    std::error_code error;
    for (std::filesystem::directory_iterator at(state_dir / ended_directory, error), end; !error && at != end;
         at.increment(error)) {
        const std::filesystem::path& path = at->path();
        struct stat info = {};
        // The last that was written to it was its end.
        if (path.extension() == journal_suffix && ::lstat(path.c_str(), &info) == 0) {
            const auto time =
                std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec);
            found.push_back({path.stem(), path, std::chrono::system_clock::time_point(time)});
        }
    }
    std::ranges::sort(found, std::greater(), [](const EndedItem& item) { return std::pair(item.time, item.id); });
    return found;
}

std::string text_of(const State& state) {
    Opened opened = state.opened;
    opened.environment.clear();
    opened.withheld.clear();
    std::string text = encode(opened);
    if (state.ending) {
        text += encode(Ended{*state.ending});
    }
    for (const EngineLock& lock : state.engine_locks) {
        text += encode(lock.held);
        text += lock.lost ? encode(LockLost{lock.held.name, {}, 0}) : "";
    }
    for (const Done& done : state.done) {
        const std::uint64_t id = text.size();
        text += encode(Registered{{.kind = done.kind, .text = done.text}});
        text += encode(CleanupEnded{id, done.error});
    }
    if (state.taken_over) {
        text += encode(*state.taken_over);
    }
    return text + encode(Over{});
}

auto first_old(std::vector<EndedItem>& items) {
    const auto oldest = std::chrono::system_clock::now() - longest_kept;
    const auto is_old = [&](const EndedItem& item) { return item.time < oldest; };
    return std::find_if(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(std::min(most_kept, items.size())),
                        is_old);
}

} // namespace

bool remember(const State& state, const std::filesystem::path& state_dir) {
    if (!state.is_to_be_remembered()) {
        return false;
    }
    const std::filesystem::path directory = state_dir / ended_directory;
    const std::filesystem::path path = directory / (state.opened.run_id + std::string(journal_suffix));
    const auto open = [&] {
        // Whoever was here before us has been killed half-way.
        return os::Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
    };
    os::Fd file = open();
    if (!file && errno == ENOENT && ::mkdir(directory.c_str(), S_IRWXU) == 0) {
        file = open();
    }
    if (!file) {
        return false;
    }
    const std::string text = text_of(state);
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written == static_cast<ssize_t>(text.size())) {
        return true;
    }
    const int error = written < 0 ? errno : ENOSPC; // cut short by a full disk
    ::unlink(path.c_str());
    errno = error;
    return false;
}

std::filesystem::path log_beside(std::filesystem::path journal) { return journal.replace_extension(log_suffix); }

std::vector<EndedItem> ended_items(const std::filesystem::path& state_dir) {
    auto items = all_items(state_dir);
    items.erase(first_old(items), items.end());
    return items;
}

void forget_old(const std::filesystem::path& state_dir) noexcept {
    try {
        auto items = all_items(state_dir);
        for (auto item = first_old(items); item != items.end(); ++item) {
            ::unlink(item->path.c_str());
            ::unlink(log_beside(item->path).c_str());
        }
    } catch (const std::bad_alloc&) { // then whoever ends next does it
    }
}

} // namespace finally_run::journal
