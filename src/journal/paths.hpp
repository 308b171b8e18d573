// Where the journals are. A run has one path, which it and whoever is inside it knows, for as long as it is not over.
#pragma once

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <unistd.h>

namespace finally_run::journal {

// Of the directories in the state directory.
inline constexpr const char* runs_directory = ".runs";
inline constexpr const char* ended_directory = ".ended"; // see ended.hpp
// In that of the runs: the journals of those that were left and that a person has been told of, so that a start has
// only the others to list. It lies there under its name in the path, and never comes back.
inline constexpr const char* told_directory = ".told";
inline constexpr std::string_view journal_suffix = ".journal";
inline constexpr std::string_view log_suffix = ".log";

// The state directory in whose directory of runs a journal is, by its path.
[[nodiscard]] inline std::filesystem::path state_dir_of(const std::filesystem::path& journal) {
    return journal.parent_path().parent_path();
}

// Where the journal with this path is, once a person has been told of its run.
[[nodiscard]] inline std::filesystem::path told_place_of(const std::filesystem::path& journal) {
    return journal.parent_path() / told_directory / journal.filename();
}

// Does to a journal what takes a path and returns as system calls do, wherever it is by now: in this order, it cannot
// get away from one place to the other.
template <class Call> auto wherever_it_is(const std::filesystem::path& journal, const Call& call) {
    const auto result = call(journal.c_str());
    return result < 0 && errno == ENOENT ? call(told_place_of(journal).c_str()) : result;
}

// Opens whatever is there, close-on-exec, without waiting for it and through no link. As open(2).
[[nodiscard]] inline int open_wherever_it_is(const std::filesystem::path& journal, int mode) {
    constexpr int safely = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    return wherever_it_is(journal, [&](const char* place) { return ::open(place, mode | safely); });
}

// Whether it is in one of them; false with errno.
[[nodiscard]] inline bool is_there(const std::filesystem::path& journal) {
    return wherever_it_is(journal, [](const char* place) { return ::access(place, F_OK); }) == 0;
}

// For messages.
[[nodiscard]] inline std::filesystem::path place_of(const std::filesystem::path& journal) {
    auto told = told_place_of(journal);
    return ::access(told.c_str(), F_OK) == 0 ? told : journal;
}

// Whether a file in this place is a journal of a run, by the folder: for who sees it open in another process.
[[nodiscard]] inline bool is_place_of_journal(const std::filesystem::path& file) {
    const auto folder = file.parent_path().filename();
    return folder == runs_directory || folder == told_directory;
}

} // namespace finally_run::journal
