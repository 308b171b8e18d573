// What the runs of the crash tests are made of: `crash_helper WHAT DIR HARNESS`, where WHAT is setup, command, next,
// or the name of a cleanup. Each writes what it does, and what it finds, into DIR/log.
#include "../marks.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

using finally_run::crash::Moment;

std::string directory;
pid_t harness = 0;

std::string in_directory(const char* name) { return directory + '/' + name; }

void pause_ms(long milliseconds) {
    const timespec time{0, milliseconds * 1'000'000};
    ::nanosleep(&time, nullptr);
}

// One write(2) with O_APPEND: the order of the lines is the order of what they tell.
void log(const std::string& who, const char* what) {
    const std::string line =
        who + ' ' + what + ' ' + std::to_string(::getpid()) + ' ' + std::to_string(::getsid(0)) + '\n';
    const int fd = ::open(in_directory("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || ::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        std::fprintf(stderr, "crash_helper: cannot write to the log\n");
        std::exit(98);
    }
    ::close(fd);
}

void tell(Moment moment) {
    sigval value{};
    value.sival_int = static_cast<int>(moment);
    ::sigqueue(harness, SIGRTMIN, value);
}

// Is the lock of `operation` to be had? It stays with us, and with our children, until we end.
bool lock(const char* name, int operation) {
    const int fd = ::open(in_directory(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && ::flock(fd, operation | LOCK_NB) == 0;
}

bool exists(const char* name) { return ::access(in_directory(name).c_str(), F_OK) == 0; }

// Held by whoever must be gone before a cleanup begins.
void show_life(const std::string& who) {
    lock("alive", LOCK_SH);
    log(who, "begin");
}

int setup() {
    show_life("setup");
    tell(Moment::setup);
    ::mkdir(in_directory("victim").c_str(), 0700);
    pause_ms(2);
    ::mkdir(in_directory("victim/inside").c_str(), 0700);
    log("setup", "end");
    return 0;
}

void end_slowly(int /*signal*/) {
    pause_ms(3);
    ::_exit(0);
}

// Its child outlives it for a moment when both are told to stop.
int command() {
    show_life("command");
    const pid_t child = ::fork();
    if (child == 0) {
        for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
            std::signal(signal, end_slowly);
        }
        log("child", "begin");
        tell(Moment::command);
        pause_ms(finally_run::crash::command_ms);
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    log("command", "end");
    return 0;
}

int cleanup(const std::string& name) {
    log(name, "begin");
    tell(name == "shell" ? Moment::first_cleanup : Moment::last_cleanup);
    if (!lock("alive", LOCK_EX)) {
        log(name, "alive");
    }
    if (lock("state/L", LOCK_EX)) {
        log(name, "unlocked");
    }
    if (name == "plain" && exists("victim")) {
        log(name, "early");
    }
    pause_ms(2);
    log(name, "end");
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        return 98;
    }
    const std::string what = argv[1];
    directory = argv[2];
    harness = std::atoi(argv[3]);
    if (what == "setup") {
        return setup();
    }
    if (what == "command") {
        return command();
    }
    if (what == "next") {
        log(what, "begin");
        return 0;
    }
    return cleanup(what);
}
