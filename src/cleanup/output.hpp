// Where setups and cleanups write: finally-run's stderr, or when that is dead the run's log.
#pragma once

#include "os/fd.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace finally_run::cleanup {

class Output {
public:
    // Opens /dev/null (std::system_error). The log is created, in a directory that is there, when it is first needed.
    // `head`: what the log begins with.
    explicit Output(std::filesystem::path log, std::function<std::string()> head = {});

    // For a step's stdin; close-on-exec like all of ours.
    [[nodiscard]] int null() const { return m_null.get(); }
    [[nodiscard]] int log() const { return m_log.get(); } // -1: there is none yet

    // For its stdout and stderr: a descriptor that can be written to now. A log that cannot be is /dev/null.
    [[nodiscard]] int writable();

    // Nobody reads stderr any more, its disk is full, or it never was open for writing: who writes to it would die of
    // SIGPIPE or fail.
    [[nodiscard]] bool stderr_dead() const;

    // A line of our own, in the log if there is one: ours, or of whoever was at the run before.
    void note(std::string_view line) const;
    // Whether stderr is the log.
    [[nodiscard]] bool is_stderr() const;

    // At the end of the run: the log stays only if `keep` and something is below its head. Returns its path then, else
    // an empty one.
    [[nodiscard]] std::filesystem::path finish(bool keep);
    // The same for a run that is remembered: it stays in that directory, also what others have written to it.
    [[nodiscard]] std::filesystem::path finish_in(const std::filesystem::path& directory);

private:
    void create_log();

    std::filesystem::path m_log_path;
    std::function<std::string()> m_head;
    bool m_stderr_unusable;
    os::Fd m_null;
    os::Fd m_log;
    bool m_log_failed = false;
    off_t m_head_size = 0;
};

} // namespace finally_run::cleanup
