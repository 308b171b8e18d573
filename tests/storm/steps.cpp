#include "steps.hpp"

#include "processes.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

namespace finally_run::storm {

namespace {

constexpr unsigned workers = 4;

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::string run_id() { return variable("FINALLY_RUN_ID"); }

int open_file(const fs::path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0) {
        fail(path);
    }
    return fd;
}

// Being at work while the lock is held: for as long as the process lives, nobody else may be.
class Presence {
public:
    Presence(const Place& place, const std::string& who) : m_actor(::getppid()) {
        enter(place, who);
        check_lock(place, who);
    }

private:
    static void enter(const Place& place, const std::string& who) {
        // A record lock is let go at the end of the process, however it comes, and no child ever has it.
        const int fd = open_file(place.inside(), O_RDWR | O_CREAT);
        struct flock whole = {};
        whole.l_type = F_WRLCK;
        whole.l_whence = SEEK_SET;
        if (::fcntl(fd, F_SETLK, &whole) == 0) {
            return;
        }
        ::fcntl(fd, F_GETLK, &whole);
        violation(place, who + " of " + run_id() + " beside pid " + std::to_string(whole.l_pid) + " " +
                             test::command_line(whole.l_pid));
    }

    void check_lock(const Place& place, const std::string& who) const {
        const int fd = open_file(place.lock(), O_RDONLY);
        const bool free = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
        ::close(fd);
        // If those who started it have just been killed, the lock is free until the next one has come.
        if (free && m_actor != place.harness && !is_ending(m_actor)) {
            violation(place, who + " of " + run_id() + " without the lock");
        }
    }

    pid_t m_actor;
};

// The id in the token, and whether it was made by a cleanup that came late; empty if there is none.
std::string token(const Place& place) {
    std::error_code none;
    return fs::read_symlink(place.token(), none).native();
}

constexpr std::string_view late = "/late";

// A symbolic link is made exclusively, as with O_EXCL, and never without what it says.
bool take_token(const Place& place, const std::string& text) {
    return ::symlink(text.c_str(), place.token().c_str()) == 0;
}

void check_token(const Place& place, const std::string& who, const std::string& found) {
    if (found != run_id() && found != run_id().append(late)) {
        violation(place, who + " of " + run_id() + " with the token of '" + found + "'");
    }
}

void count(const Place& place) {
    unsigned long value = 0;
    std::ifstream(place.counter()) >> value;
    append(place.turns(), "begin " + run_id() + " " + std::to_string(value));
    pause(random_below(5));
    std::string text = std::to_string(value + 1);
    text.insert(0, 20 - text.size(), '0');
    const int fd = open_file(place.counter(), O_WRONLY | O_CREAT);
    if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        fail(place.counter());
    }
    ::close(fd);
    append(place.turns(), "done " + run_id() + " " + std::to_string(value + 1));
}

// Whether it is worth while to ask again. Only what was answered is written down: no answer promises nothing.
bool defer(const Place& place, const std::string& word) {
    // Now and then one that needs a shell.
    const std::string cmd = (random_below(4) == 0 ? "exec " : "") + cmd_of(place, "deferred", word);
    const int status = wait_for(start({place.finally_run(), "--defer", cmd}));
    if (!WIFEXITED(status)) {
        return true;
    }
    if (WEXITSTATUS(status) == 0) {
        append(place.acknowledged(), word);
        return true;
    }
    append(place.refused(), word + " " + std::to_string(WEXITSTATUS(status)));
    return false;
}

// What becomes of the cleanup, as the end of its word. Whoever comes next tries again what has failed: so they are few.
std::string_view temper(const Place& place, const std::string& name, unsigned long i) {
    if (name.starts_with(loose)) { // nobody has to come next
        return "";
    }
    for (const char* const number : {"1", "2", "3"}) {
        if (i == 0 && name.ends_with(".0") && ::symlink(name.c_str(), (place.failing() += number).c_str()) == 0) {
            return always;
        }
    }
    return random_below(64) == 0 ? at_times : "";
}

// NUMBER:DEFERRALS[:straggler]
struct Argument {
    explicit Argument(const std::string& argument)
        : number(argument.substr(0, argument.find(':'))), deferrals(std::stoul(argument.substr(number.size() + 1))),
          straggler(argument.ends_with(":straggler")) {}

    std::string number;
    unsigned long deferrals;
    bool straggler;
};

} // namespace

int setup(const Place& place, const std::string& number) {
    const Presence presence(place, "setup");
    if (!take_token(place, run_id())) {
        violation(place, "setup of " + run_id() + " with the token of '" + token(place) + "'");
    }
    append(place.removed() / number, run_id());
    return 0;
}

int command(const Place& place, const std::string& argument) {
    const Presence presence(place, "command");
    check_token(place, "command", token(place));
    append(fs::path(variable("SCRATCH")) / "file", run_id());
    count(place);
    const Argument words(argument);
    std::vector<pid_t> pids;
    for (unsigned i = 0; i < workers; ++i) {
        const std::string name = words.number + "." + std::to_string(i);
        pids.push_back(start(words_of(place, "worker", name + ":" + std::to_string(words.deferrals / workers))));
    }
    for (const pid_t pid : pids) {
        static_cast<void>(wait_for(pid)); // it may have been killed
    }
    if (words.straggler) {
        // About as fast as the cleanups run, so that it comes in their way until the end.
        static_cast<void>(start(words_of(place, "worker", words.number + ".straggler:100")));
    }
    return 0;
}

int rush(const Place& place, const std::string& name) {
    // No more than the cleanups can keep up with, so that the stack is often empty for a moment.
    for (unsigned i = 0; i <= random_below(2); ++i) {
        static_cast<void>(start(words_of(place, "worker", name + ".straggler" + std::to_string(i) + ":100")));
    }
    return 0;
}

int worker(const Place& place, const std::string& argument) {
    const Argument words(argument);
    for (unsigned long i = 0; i < words.deferrals; ++i) {
        const std::string word = words.number + "." + std::to_string(i);
        if (!defer(place, word + std::string(temper(place, words.number, i)))) {
            break;
        }
    }
    return 0;
}

int deferred(const Place& place, const std::string& word) {
    const std::string line = word + " " + variable("FINALLY_RUN_BY");
    if (word.starts_with(loose)) {
        append(place.ran(), line);
        return 0;
    }
    const Presence presence(place, "cleanup " + word);
    // Its command was killed alone and its workers were not: then it may come when the run has given its token back.
    const bool took = take_token(place, run_id().append(late));
    const std::string found = token(place);
    check_token(place, "cleanup " + word, found);
    if (random_below(8) == 0) {
        pause(random_below(20));
    }
    if (random_below(16) == 0 && word.find("again") == word.npos) {
        defer(place, word + ".again" + std::to_string(::getpid()));
    }
    const bool fails = word.ends_with(always) || (word.ends_with(at_times) && random_below(2) == 0);
    if (!fails) {
        append(place.ran(), line);
    }
    if (took || found.ends_with(late)) {
        ::unlink(place.token().c_str());
    }
    return fails ? EXIT_FAILURE : EXIT_SUCCESS;
}

int leave(const Place& place, const std::string& number) {
    const Presence presence(place, "last cleanup");
    if (const std::string found = token(place); !found.empty()) { // else its setup did not get that far
        check_token(place, "last cleanup", found);
        ::unlink(place.token().c_str());
    }
    append(place.ended(),
           run_id() + " " + variable("FINALLY_RUN_BY") + " " + variable("FINALLY_RUN_RESULT") + " " + number);
    return 0;
}

} // namespace finally_run::storm
