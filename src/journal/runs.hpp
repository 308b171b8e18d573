// STATE_DIR/.runs: the journals of all runs that are not over, and their logs.
#pragma once

#include "journal/record.hpp"
#include "os/fd.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::journal {

// Of the directory in the state directory.
inline constexpr const char* runs_directory = ".runs";
inline constexpr const char* ended_directory = ".ended"; // see ended.hpp
inline constexpr std::string_view journal_suffix = ".journal";
inline constexpr std::string_view log_suffix = ".log";

// The state directory in whose directory of runs a journal is.
[[nodiscard]] inline std::filesystem::path state_dir_of(const std::filesystem::path& journal) {
    return journal.parent_path().parent_path();
}

// A journal that is there.
struct Item {
    std::string id;
    std::filesystem::path path;
    bool told; // that it is left over: a person has been told
    bool has_log = false;
};

// What the name of a mark says of its run, as checksums: the path and the file of each of its locks, and its directory
// with its command. It is a reason not to read a journal and no other, so it may take one for another.
[[nodiscard]] std::string tags_of(std::span<const LockId> locks);
[[nodiscard]] std::string tag_of_call(const Opened& opened);
[[nodiscard]] std::string tags_of(const Opened& opened); // all of them

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

    // Every journal, the newest first: what began inside another run ends before it.
    // Marks of runs that are gone are taken away, unless nothing is to be changed.
    enum class Marks { tidy, leave };
    [[nodiscard]] std::vector<Item> items(Marks marks = Marks::tidy) const;
    // The same without those of which a mark says that they have none of these tags: by the names alone.
    [[nodiscard]] std::vector<Item> items_with(std::string_view tags, Marks marks = Marks::tidy) const;

    // Where the journal of this run begins its life.
    [[nodiscard]] std::filesystem::path journal_of(std::string_view id) const;
    // Where the log of its cleanups is, if it has one.
    [[nodiscard]] std::filesystem::path log_of(std::string_view id) const;

    // Marks a run as told; whether it was not before. The mark is an empty file beside the journal. What its tags say
    // stands in the first record, which never changes. Without them the journal is read each time.
    [[nodiscard]] bool mark_told(std::string_view id, std::string_view tags) const noexcept;
    // Takes away what belongs to a run whose journal is gone.
    void forget_mark(std::string_view id, std::string_view tags) const noexcept;

    [[nodiscard]] const os::Fd& directory() const { return m_directory; } // empty: nowhere

private:
    Runs() = default;
    [[nodiscard]] std::vector<Item> list(Marks marks, std::optional<std::string_view> tags) const;

    std::filesystem::path m_path;
    os::Fd m_directory;
};

} // namespace finally_run::journal
