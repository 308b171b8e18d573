// Where setups and cleanups write: finally-run's stderr, or when that is dead the run's log.
#pragma once

#include "os/fd.hpp"

#include <filesystem>

namespace finally_run::cleanup {

class Output {
public:
    // Opens /dev/null (std::system_error). The log is created, in a directory that is there, when it is first needed.
    explicit Output(std::filesystem::path log);

    // For a step's stdin; close-on-exec like all of ours.
    [[nodiscard]] int null() const { return m_null.get(); }
    [[nodiscard]] int log() const { return m_log.get(); } // -1: there is none yet

    // For its stdout and stderr: a descriptor that can be written to now. A log that cannot be created is /dev/null.
    [[nodiscard]] int writable();

    // Nobody reads stderr any more, or it never was open for writing: who writes to it would die of SIGPIPE or fail.
    [[nodiscard]] bool stderr_dead() const;

    // At the end of the run: the log stays only if `keep` and something was written. Returns its path then, else an
    // empty one.
    [[nodiscard]] std::filesystem::path finish(bool keep);

private:
    void create_log();

    std::filesystem::path m_log_path;
    bool m_stderr_unusable;
    os::Fd m_null;
    os::Fd m_log;
    bool m_log_failed = false;
};

} // namespace finally_run::cleanup
