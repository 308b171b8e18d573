// One attempt at a cleanup that is a CMD.
#pragma once

#include "cleanup/outcome.hpp"
#include "os/events.hpp"
#include "os/process.hpp"
#include "os/spawn.hpp"
#include "os/wait_status.hpp"
#include "supervise/notice.hpp"
#include "text/duration.hpp"

#include <fcntl.h>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace finally_run::cleanup {

// The words that start a CMD: its own if it plainly needs no shell, else /bin/sh -c CMD. They point into this object.
class CommandLine {
public:
    explicit CommandLine(const std::string& cmd);
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    [[nodiscard]] const char* const* argv() const { return m_argv.data(); }

private:
    std::vector<std::string> m_words;
    std::vector<const char*> m_argv;
};

// Why a step counts as failed, in the words of messages and reports; empty for a success.
[[nodiscard]] std::string failure_of(const os::WaitStatus& status);
[[nodiscard]] std::string failure_of(const os::SpawnResult& not_started);

struct TimeLimits {
    text::Limit limit; // then TERM
    text::Limit grace; // then SIGKILL
};

// Where an attempt runs, and with what. All is borrowed.
struct Surroundings {
    const char* const* env; // ends with a null
    os::Stdio stdio;
    int directory = AT_FDCWD;        // AT_FDCWD: ours
    std::optional<mode_t> mask = {}; // nullopt: ours
    std::function<int()> in_child = {};
    // Ours, where it has the terminal, but not the keys that are typed there: it leads a process group in the
    // background, and is put in the foreground while it asks for something. Else it leads a session of its own.
    bool in_our_session = false;
};

// Who hears what, while an attempt is waited for.
struct Listening {
    std::function<void(const os::Signal&)> on_signal; // each that reaches us
    supervise::Notify notify = {};
    std::function<void()> on_lock_lost = {}; // it changes nothing for the attempt
    // Whether it was told to end: then nothing of it goes on, as after the time limit. Asked if something does.
    std::function<bool()> is_stopped = {};
    // See Means. They are waited for, however long that takes.
    std::function<std::vector<os::ProcessInfo>()> inner_guardians = {};
};

// Runs it with default signals and waits for its end. Processes that it leaves in its session, or of its making in
// ours, are an error: whatever they do, they would do it without the lock. Nothing aborts it.
[[nodiscard]] Outcome run_command(const std::string& cmd, const Surroundings& surroundings, const TimeLimits& limits,
                                  os::Events& events, const Listening& listening);

} // namespace finally_run::cleanup
