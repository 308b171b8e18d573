// STATE_DIR/.runs: the journals of all runs that are not over, and their logs.
#pragma once

#include "journal/paths.hpp"
#include "journal/record.hpp"
#include "os/fd.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::journal {

// A journal that is there.
struct Item {
    std::string id;
    std::filesystem::path path;
    bool told; // that it is left over: a person has been told
    bool has_log = false;
};

// By what the runs that were told of are found without a look at the others, as checksums: the path and the file of
// each of its locks, and its directory with its command. A tag is a reason to read a journal and no other: two may
// share one by chance.
using Tags = std::vector<std::string>;
[[nodiscard]] Tags tags_of(std::span<const LockId> locks);
[[nodiscard]] std::string tag_of_call(const Opened& opened);
[[nodiscard]] Tags tags_of(const Opened& opened); // all of them

class Runs {
public:
    // Opens it, after creating it and the state directory if need be. Throws std::system_error, also if it is not a
    // directory of ours with mode 0700.
    explicit Runs(const std::filesystem::path& state_dir);

    // Where there is no state directory: the journal of a run is in memory alone, and there are no others.
    [[nodiscard]] static Runs nowhere(const std::filesystem::path& state_dir);

    // Those that are there, if any; nothing is created.
    [[nodiscard]] static Runs existing(const std::filesystem::path& state_dir) {
        return exist(state_dir) ? Runs(state_dir) : nowhere(state_dir);
    }

    // Whether it is there at all; nothing is created.
    [[nodiscard]] static bool exist(const std::filesystem::path& state_dir);

    // Every journal, the newest first: what began inside another run ends before it. Throws std::system_error.
    [[nodiscard]] std::vector<Item> items() const;
    // The same without those that were told of and have none of these tags, however many there are; whether one has a
    // log is not looked at. What stands under these tags for runs that are gone is taken away.
    [[nodiscard]] std::vector<Item> items_with(const Tags& tags) const;
    // Takes away what stands under any tag for runs that are gone, as of a recovery that was killed.
    void tidy() const;

    // The path of the journal of this run.
    [[nodiscard]] std::filesystem::path journal_of(std::string_view id) const;
    // Where the log of its cleanups is, if it has one.
    [[nodiscard]] std::filesystem::path log_of(std::string_view id) const;

    // Puts a run among those that were told of; whether it was not there before, also if it cannot be put there.
    // Whoever calls this holds its lock, or shares it. What its tags say stands in the first record, which never
    // changes. Without them, of what cannot be read, its journal is tried at each start; of one that was told of before
    // it could not be read any more this is the first time once more.
    [[nodiscard]] bool mark_told(std::string_view id, const Tags& tags) const noexcept;
    // Takes away what stands under its tags for a run whose journal is gone.
    void forget_tags(std::string_view id, const Tags& tags) const noexcept;

    [[nodiscard]] const os::Fd& directory() const { return m_directory; } // empty: nowhere

private:
    Runs() = default;
    [[nodiscard]] std::vector<Item> told_under(const std::string& tag) const;

    std::filesystem::path m_path;
    os::Fd m_directory;
};

} // namespace finally_run::journal
