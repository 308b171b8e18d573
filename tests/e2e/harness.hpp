// Starts the real binary in a directory of its own, waits for events under one deadline, and leaves nothing behind.
#pragma once

#include "support/sanitized.hpp"

#include <sys/types.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finally_run::e2e {

namespace fs = std::filesystem;

using test::sanitized;
using test::tries;

// The finally-run that is tested.
[[nodiscard]] std::string binary();

// The directory of the running case. In it: work (where programs start), home, state, tmp, and bin with `finally-run`
// and `helper`, first in PATH. Removed when the case has passed, kept when it has failed.
[[nodiscard]] const fs::path& case_dir();
[[nodiscard]] fs::path work(std::string_view name = {});
[[nodiscard]] fs::path state_dir();

[[nodiscard]] std::string read_file(const fs::path& path);
void write_file(const fs::path& path, std::string_view text, mode_t mode = 0644);
[[nodiscard]] std::vector<std::string> lines(std::string_view text);
[[nodiscard]] bool has_line(std::string_view text, std::string_view line);
[[nodiscard]] std::size_t count(std::string_view text, std::string_view part);

// The number that follows `label` in `text`.
[[nodiscard]] long number_after(std::string_view text, std::string_view label);

// For what the kernel tells nobody about: looks again and again until it holds. Throws at the case's deadline.
void wait_until(std::string_view what, const std::function<bool()>& holds);
void wait_for_file(const fs::path& path);

// Releases whoever waits in `read x <fifo`.
void make_fifo(const fs::path& path);
void release(const fs::path& fifo);

// The letter of /proc/PID/stat; 0 when there is no such process.
[[nodiscard]] char state_of(pid_t pid);
[[nodiscard]] bool alive(pid_t pid); // a zombie is not
void wait_for_state(pid_t pid, char state);
void wait_for_end(pid_t pid);
// Waits for a child of `parent` that runs this program: not one that is about to, nor a guardian.
[[nodiscard]] pid_t child_running(std::string_view program, pid_t parent);
// Waits until the process whose pid is in the file "pid" is the only child of `parent` that runs the helper.
void wait_for_orphan_of(pid_t parent);
[[nodiscard]] std::vector<pid_t> leftovers();         // living processes that this test has started, directly or not
[[nodiscard]] bool is_pending(pid_t pid, int signal); // sent to the process, and not taken by it yet

// Waits until `waiters` processes sleep in flock(2) on this file.
void wait_for_lock_waiters(const fs::path& path, int waiters);
[[nodiscard]] bool is_locked(const fs::path& path);

// For Run::before_exec: a root that has to obey permission bits like everybody else.
void without_root_powers();

// "unshare" and its words for new namespaces; a user that is not root needs a user namespace around them.
[[nodiscard]] std::vector<std::string> unshare(std::vector<std::string> flags, const std::vector<std::string>& argv);

struct Outcome {
    int status = 0; // as a shell shows it: 128+n for a signal
    int signal = 0; // that it died of; 0 if it exited
    bool core = false;
    std::string out;
    std::string err;
};

// A started program. Killed when it goes out of scope unfinished.
class Process {
public:
    Process(pid_t pid, int in, int out, int err);
    Process(Process&& other) noexcept;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    Process& operator=(Process&&) = delete;
    ~Process();

    [[nodiscard]] pid_t pid() const { return m_pid; }
    void signal(int number) const;
    void write(std::string_view text) const;
    void close_in() { drop(m_in); }
    void close_out() { drop(m_out.fd); } // its reader is gone
    void close_err() { drop(m_err.fd); }

    // The next whole line that contains `part`.
    std::string wait_for_line(std::string_view part) { return wait_for(m_out, part); }
    std::string wait_for_err(std::string_view part) { return wait_for(m_err, part); }

    // Everything written to stdout from the last waited-for line up to and with `part`, line or not: for terminals.
    std::string wait_for_text(std::string_view part);
    // Until stdout has had `part` that often, from the beginning on. It counts as unread still.
    void wait_for_times(std::string_view part, std::size_t times);

    Outcome finish();

private:
    [[nodiscard]] bool ended() const;
    struct Stream {
        int fd = -1;
        std::string text;
        std::size_t seen = 0;
    };
    static void drop(int& fd);
    std::string wait_for(Stream& stream, std::string_view part);
    void pump(std::string_view what, const std::function<bool()>& done);
    static bool take(Stream& stream);

    pid_t m_pid;
    int m_pidfd;
    int m_in;
    Stream m_out;
    Stream m_err;
};

// What is to be started, and how. Without a word here: a session of its own without a terminal, stdin from /dev/null,
// default signal dispositions, no inherited descriptor, and an environment that owes nothing to the tester's.
class Run {
public:
    explicit Run(std::vector<std::string> args); // of finally-run
    static Run of(std::vector<std::string> argv);
    static Run script(std::string text); // bash -c

    Run& env(const std::string& name, std::string value);
    Run& cwd(fs::path path);
    Run& input(std::string text);
    Run& open_stdin(); // a pipe, written and closed through the Process
    Run& fd(int target, int source);
    Run& before_exec(std::function<void()> hook);

    [[nodiscard]] Process start() const;
    Outcome run() const { return start().finish(); }
    [[nodiscard]] Process start_on_terminal(int master, int slave) const; // as the terminal's session leader

private:
    Run(std::string program, std::vector<std::string> argv);
    [[nodiscard]] pid_t spawn(int in, int out, int err, bool terminal) const;

    std::string m_program;
    std::vector<std::string> m_argv;
    std::map<std::string, std::string> m_env;
    fs::path m_cwd;
    std::string m_input;
    bool m_open_stdin = false;
    std::vector<std::pair<int, int>> m_fds;
    std::vector<std::function<void()>> m_hooks;
};

} // namespace finally_run::e2e
