// Behaviours that are about signals.
#include "behaviours.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace finally_run::helper {
namespace {

std::string name_of(int number) {
    if (number >= SIGRTMIN && number <= SIGRTMAX)
        return "RTMIN+" + std::to_string(number - SIGRTMIN);
    const char* name = ::sigabbrev_np(number);
    return name != nullptr ? name : std::to_string(number);
}

// Not by dprintf(3), which writes nothing where lseek(2) is refused.
void ready() {
    const std::string line = "READY " + std::to_string(::getpid()) + "\n";
    static_cast<void>(!::write(1, line.data(), line.size()));
}

sigset_t set_of(int number) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, number);
    return set;
}

// It stays blocked.
void wait_ready_for(int number) {
    const sigset_t set = set_of(number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ready();
    ::sigwait(&set, &number);
}

} // namespace

int signal_number(const std::string& name) {
    for (int number = 1; number < NSIG; ++number) {
        if (name_of(number) == name)
            return number;
    }
    std::fprintf(stderr, "helper: no signal %s\n", name.c_str());
    std::exit(98);
}

void ignore(const Words& signals) {
    for (const auto& name : signals)
        ::signal(signal_number(name), SIG_IGN);
}

void pause_for_ever() {
    for (;;)
        ::pause();
}

int print_signals(const Words& words) {
    const int until = signal_number(words.at(0));
    const int out = words.size() > 1 ? ::open(words.at(1).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600) : 1;
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    ready();
    for (;;) {
        siginfo_t info{};
        const int number = ::sigwaitinfo(&all, &info);
        if (number < 0)
            continue;
        ::dprintf(out, "got %s\n", name_of(number).c_str());
        if (number == until)
            ::_exit(0); // with all signals blocked the look for leaks at the end of a sanitized program may hang
    }
}

int ignore_signals(const Words& words) {
    ignore(words);
    ready();
    pause_for_ever();
}

int pause_only(const Words& /*words*/) {
    ready();
    pause_for_ever();
}

int outlive(const Words& words) {
    wait_ready_for(signal_number(words.at(0)));
    ::usleep(static_cast<useconds_t>(std::atoi(words.at(1).c_str())) * 1000);
    ::dprintf(1, "still here\n");
    return 7;
}

int exit_on(const Words& words) {
    wait_ready_for(signal_number(words.at(0)));
    return std::atoi(words.at(1).c_str());
}

int relay(const Words& words) {
    wait_ready_for(SIGTERM);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(words.at(0).c_str()));
    while (std::chrono::steady_clock::now() < end) {
        if (::fork() > 0)
            ::_exit(0);
    }
    return 0;
}

int die_of(const Words& words) {
    const int number = signal_number(words.at(0));
    const sigset_t set = set_of(number);
    ::signal(number, SIG_DFL);
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
    ::raise(number);
    return 98;
}

int stop_self(const Words& /*words*/) {
    ready();
    ::raise(SIGSTOP);
    ::dprintf(1, "RESUMED\n");
    pause_for_ever();
}

int suspend_group(const Words& /*words*/) {
    ready();
    ::kill(0, SIGTSTP);
    ::dprintf(1, "BACK\n");
    return 0;
}

int print_signal_state(const Words& words) {
    std::FILE* to = words.empty() ? stdout : std::fopen(words.front().c_str(), "w");
    std::FILE* from = std::fopen("/proc/self/status", "r");
    char line[256];
    while (std::fgets(line, sizeof line, from) != nullptr) {
        if (std::strncmp(line, "SigBlk", 6) == 0 || std::strncmp(line, "SigIgn", 6) == 0)
            std::fputs(line, to);
    }
    return std::fclose(to);
}

} // namespace finally_run::helper
