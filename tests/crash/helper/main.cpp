// What the runs of the crash tests are made of: `crash_helper NAME DIR HARNESS [absent FILE]`, where NAME is setup,
// command, service, next, or that of a cleanup: "failing" fails, "outliving" waits for the end of whoever made it. Each
// writes what it does, and what it finds, into DIR/log. With one word it is a helper of finally-run-lock(7), and the
// files "engine" and "unclean" in $HOME are what an engine has.
#include "kernel.hpp"

#include "../marks.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <csignal>
#include <ctime>
#include <initializer_list>

namespace {

using finally_run::crash::address;
using finally_run::crash::call;

// A line or a path.
class Text {
public:
    Text& operator<<(const char* text) {
        while (*text != '\0' && m_size + 1 < sizeof m_text) {
            m_text[m_size++] = *text++;
        }
        m_text[m_size] = '\0';
        return *this;
    }
    Text& operator<<(long number) {
        char digits[20];
        char* first = digits + sizeof digits;
        *--first = '\0';
        do {
            *--first = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        return *this << first;
    }
    [[nodiscard]] const char* data() const { return m_text; }
    [[nodiscard]] long size() const { return static_cast<long>(m_size); }

private:
    char m_text[1024];
    unsigned long m_size = 0;
};

const char* const* environment;
const char* name;
const char* directory;
long harness;

bool equal(const char* left, const char* right) {
    while (*left != '\0' && *left == *right) {
        ++left;
        ++right;
    }
    return *left == *right;
}

[[noreturn]] void end(int status) {
    for (;;) {
        call(SYS_exit_group, status);
    }
}

long open(const char* file, int flags) {
    Text path;
    path << directory << "/" << file;
    return call(SYS_openat, AT_FDCWD, address(path.data()), flags | O_CREAT | O_CLOEXEC, 0600);
}

void make_directory(const char* file) {
    Text path;
    path << directory << "/" << file;
    call(SYS_mkdirat, AT_FDCWD, address(path.data()), 0700);
}

bool exists(const char* file) {
    Text path;
    path << directory << "/" << file;
    return call(SYS_faccessat, AT_FDCWD, address(path.data()), 0) == 0;
}

void pause_ms(long milliseconds) {
    const timespec time{0, milliseconds * 1'000'000};
    call(SYS_nanosleep, address(&time), 0);
}

// One write(2) with O_APPEND: the order of the lines is the order of what they tell.
void log(const char* who, const char* what) {
    Text line;
    line << who << " " << what << " " << call(SYS_getpid) << " " << call(SYS_getsid, 0) << "\n";
    const long fd = open("log", O_WRONLY | O_APPEND);
    if (fd < 0 || call(SYS_write, fd, address(line.data()), line.size()) != line.size()) {
        Text text;
        text << "crash_helper: cannot write to the log\n";
        call(SYS_write, 2, address(text.data()), text.size());
        end(98);
    }
    call(SYS_close, fd);
}

// Lets the harness know that `name` has begun.
void tell() {
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    info.si_pid = static_cast<pid_t>(call(SYS_getpid));
    info.si_value.sival_ptr = reinterpret_cast<void*>(finally_run::crash::mark_of(name));
    call(SYS_rt_sigqueueinfo, harness, finally_run::crash::told_signal, address(&info));
}

// Is the lock of `operation` to be had? It stays with us, and with our children, until we end.
bool lock(const char* file, int operation) {
    const long fd = open(file, O_RDWR);
    return fd >= 0 && call(SYS_flock, fd, operation | LOCK_NB) == 0;
}

// Held by whoever must be gone before a cleanup begins.
void show_life() {
    lock("alive", LOCK_SH);
    log(name, "begin");
}

void setup() {
    show_life();
    tell();
    make_directory("victim");
    pause_ms(2);
    make_directory("victim/inside");
    log(name, "end");
}

// It outlives the command for a moment when both are told to stop.
[[noreturn]] void child() {
    unsigned long stops = 0;
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        stops |= 1UL << (signal - 1);
    }
    call(SYS_rt_sigprocmask, SIG_BLOCK, address(&stops), 0, sizeof stops);
    log("child", "begin");
    tell();
    const timespec time{0, finally_run::crash::command_ms * 1'000'000};
    if (call(SYS_rt_sigtimedwait, address(&stops), 0, address(&time), sizeof stops) > 0) {
        pause_ms(3);
    }
    end(equal(name, "failing") ? 7 : 0);
}

void command() {
    show_life();
    const long pid = call(SYS_clone, SIGCHLD);
    if (pid == 0) {
        child();
    }
    call(SYS_wait4, pid);
    log(name, "end");
}

bool contains(const char* text, long size, const char* part) {
    for (long at = 0; at < size; ++at) {
        long length = 0;
        while (part[length] != '\0' && at + length < size && text[at + length] == part[length]) {
            ++length;
        }
        if (part[length] == '\0') {
            return true;
        }
    }
    return false;
}

// Whether it is in the journal that somebody has taken the run over.
bool is_taken_over() {
    static char text[1 << 16];
    constexpr char variable[] = "FINALLY_RUN_JOURNAL=";
    for (const char* const* entry = environment; *entry != nullptr; ++entry) {
        long at = 0;
        while (variable[at] != '\0' && (*entry)[at] == variable[at]) {
            ++at;
        }
        if (variable[at] == '\0') {
            const long fd = call(SYS_openat, AT_FDCWD, address(*entry + at), O_RDONLY | O_CLOEXEC);
            const long size = fd < 0 ? 0 : call(SYS_read, fd, address(text), sizeof text);
            call(SYS_close, fd);
            return contains(text, size, " taken-over ");
        }
    }
    return false;
}

// Ends after the death of its maker, if that comes soon, and when somebody else watches over it.
void outlive(long maker) {
    for (int looks = 0; looks < 20 && call(SYS_getppid) == maker; ++looks) {
        pause_ms(1);
    }
    if (call(SYS_getppid) == maker) {
        return;
    }
    for (int looks = 0; looks < 5000 && !is_taken_over(); ++looks) {
        pause_ms(1);
    }
    log(name, "outlived");
}

// Beside the command, until it is told to stop; it then takes a moment.
void serve() {
    const unsigned long term = 1UL << (SIGTERM - 1);
    call(SYS_rt_sigprocmask, SIG_BLOCK, address(&term), 0, sizeof term);
    show_life();
    tell();
    const timespec time{10, 0};
    if (call(SYS_rt_sigtimedwait, address(&term), 0, address(&time), sizeof term) > 0) {
        pause_ms(3);
    }
}

void cleanup(const char* absent) {
    const long maker = call(SYS_getppid);
    log(name, "begin");
    tell();
    if (!lock("alive", LOCK_EX)) {
        log(name, "alive");
    }
    if (lock("state/L", LOCK_EX)) {
        log(name, "unlocked");
    }
    if (exists("engine") && lock("engine", LOCK_EX)) {
        log(name, "unkept");
    }
    if (absent != nullptr && exists(absent)) {
        log(name, "early");
    }
    if (equal(name, "outliving")) {
        outlive(maker);
    }
    pause_ms(2);
    log(name, "end");
}

bool starts_with(const char* text, const char* start) {
    while (*start != '\0' && *text == *start) {
        ++text;
        ++start;
    }
    return *start == '\0';
}

void say(const char* line) {
    Text text;
    text << line << "\n";
    call(SYS_write, 1, address(text.data()), text.size());
}

// Whoever killed a holder does not wait for the end of its helper: nor is somebody refused who came before that.
[[noreturn]] void hold() {
    for (const char* const* entry = environment; *entry != nullptr; ++entry) {
        directory = starts_with(*entry, "HOME=") ? *entry + 5 : directory;
    }
    call(SYS_flock, open("engine", O_RDWR), LOCK_EX);
    if (exists("unclean")) {
        say("unclean somebody");
    }
    say("held 1");
    static char text[1 << 12]; // a line: who writes it waits for nothing in between but the end of the run
    for (long size = 0; (size = call(SYS_read, 0, address(text), sizeof text)) > 0;) {
        if (contains(text, size, "begin ")) {
            call(SYS_close, open("unclean", O_WRONLY));
        }
        if (contains(text, size, "clean\n")) {
            Text path;
            path << directory << "/unclean";
            call(SYS_unlinkat, AT_FDCWD, address(path.data()), 0);
        }
    }
    say("done");
    end(0);
}

long number_of(const char* text) {
    long number = 0;
    for (; *text >= '0' && *text <= '9'; ++text) {
        number = 10 * number + (*text - '0');
    }
    return number;
}

} // namespace

// `stack` is argc, followed by the words.
extern "C" [[noreturn]] void begin(const long* stack) {
    const char* const* const words = reinterpret_cast<const char* const*>(stack + 1);
    environment = words + *stack + 1;
    if (*stack == 2) {
        hold();
    }
    if (*stack < 4) {
        end(98);
    }
    name = words[1];
    directory = words[2];
    harness = number_of(words[3]);
    if (equal(name, "setup")) {
        setup();
    } else if (equal(name, "command")) {
        command();
    } else if (equal(name, "service")) {
        serve();
    } else if (equal(name, "next")) {
        log(name, "begin");
    } else {
        cleanup(*stack == 6 && equal(words[4], "absent") ? words[5] : nullptr);
    }
    end(equal(name, "failing") ? 7 : 0);
}
