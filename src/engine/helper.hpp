// The process that takes one lock: finally-run-lock-ENGINE NAME, with pipes for its stdin, stdout and stderr.
#pragma once

#include "os/fd.hpp"
#include "os/wait_status.hpp"

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace finally_run::engine {

class Helper {
public:
    // Leads a session of its own, and gets SIGKILL when we end: prctl(2), PR_SET_PDEATHSIG. `env` ends with a null.
    // `ignored_here`: what we ignore now. Throws std::system_error if it cannot be started.
    Helper(const std::filesystem::path& program, const std::string& name, const char* const* env,
           const sigset_t& ignored_here);
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;
    // Kills it.
    ~Helper();

    [[nodiscard]] int out() const { return m_out.get(); } // -1: nobody can write to it any more
    [[nodiscard]] int err() const { return m_err.get(); } // the same

    // What it has written by now; nothing: there is nothing now, or nothing more, and then out() or err() is -1.
    [[nodiscard]] std::string read_out() { return read(m_out); }
    [[nodiscard]] std::string read_err() { return read(m_err); }

    // One that takes nothing for a second is not told.
    void tell(std::string_view line) const;
    void end_stdin() { m_in.reset(); }
    // And all that is in its process group.
    void signal(int number) const;

    // How it has ended, once; one that has been stopped is continued. nullopt: it has not, or it was told already.
    [[nodiscard]] std::optional<os::WaitStatus> look();

private:
    static std::string read(os::Fd& fd);

    pid_t m_pid = 0; // 0: reaped
    os::Fd m_in;
    os::Fd m_out;
    os::Fd m_err;
};

} // namespace finally_run::engine
