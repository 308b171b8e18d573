// Behaviours that are about processes, descriptors and files.
#include "behaviours.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace finally_run::helper {
namespace {

namespace fs = std::filesystem;

// Renamed into place, so that whoever sees the file sees the whole pid.
void write_pid(const std::string& file) {
    std::ofstream(file + ".new") << ::getpid() << '\n';
    fs::rename(file + ".new", file);
}

// Gives back control in the parent once the child is what it is meant to be.
void start_child(const Words& words, bool own_session) {
    int ends[2];
    if (::pipe(ends) != 0)
        std::exit(98);
    if (::fork() == 0) {
        if (own_session)
            ::setsid();
        ignore({words.begin() + 1, words.end()});
        write_pid(words.at(0));
        ::close(ends[0]);
        ::close(ends[1]);
        pause_for_ever();
    }
    ::close(ends[1]);
    char byte = 0;
    while (::read(ends[0], &byte, 1) > 0) {
    }
    ::close(ends[0]);
}

bool is_zombie(const fs::path& process) {
    std::ifstream stat(process / "stat");
    std::string text;
    std::getline(stat, text);
    const std::size_t name_end = text.rfind(')');
    return name_end != std::string::npos && text.compare(name_end, 3, ") Z") == 0;
}

bool any_zombie() {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        if (is_zombie(entry.path()))
            return true;
    }
    return false;
}

pid_t start(const Words& words) {
    std::vector<char*> argv;
    for (const auto& word : words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execvp(argv.front(), argv.data());
        ::_exit(98);
    }
    return pid;
}

void say_who_is_there() {
    bool anybody = false;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const int other = std::atoi(entry.path().filename().c_str());
        if (other > 0 && other != ::getpid()) {
            anybody = true;
            ::dprintf(1, "there is %d%s\n", other, is_zombie(entry.path()) ? ", a zombie" : "");
        }
    }
    if (!anybody)
        ::dprintf(1, "nobody else\n");
}

} // namespace

int orphan(const Words& words) {
    start_child(words, false);
    return 0;
}

int daemon(const Words& words) {
    start_child(words, true);
    return 0;
}

int grandchild(const Words& words) {
    start_child(words, false);
    ::dprintf(1, "READY %d\n", ::getpid());
    pause_for_ever();
}

int headless(const Words& words) {
    if (const pid_t pid = ::fork(); pid != 0) {
        while (!is_zombie(fs::path("/proc") / std::to_string(pid)))
            ::usleep(1000);
        ::dprintf(1, "READY %d\n", ::getpid());
        return 0;
    }
    ::alarm(300); // it looks like a zombie, so nobody will come and kill it
    ignore({"TERM"});
    std::thread([fifo = words.at(1)] {
        std::string line;
        std::getline(std::ifstream(fifo), line);
        ::dprintf(2, "thread ended\n");
        ::_exit(0);
    }).detach();
    write_pid(words.at(0));
    ::pthread_exit(nullptr);
}

int reaped(const Words& /*words*/) {
    for (int i = 0; i < 20; ++i) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            if (::fork() == 0)
                ::_exit(0);
            ::_exit(0);
        }
        ::waitpid(pid, nullptr, 0);
    }
    while (any_zombie())
        ::usleep(1000);
    ::dprintf(1, "REAPED\n");
    return 0;
}

int survey(const Words& words) {
    const pid_t pid = start(words);
    ::waitpid(pid, nullptr, 0);
    say_who_is_there();
    return 0;
}

int reaping_survey(const Words& words) {
    start(words);
    while (::wait(nullptr) > 0) {
    }
    say_who_is_there();
    return 0;
}

int print_ids(const Words& /*words*/) {
    ::dprintf(1, "pid %d ppid %d pgid %d sid %d\n", ::getpid(), ::getppid(), ::getpgrp(), ::getsid(0));
    return 0;
}

int print_fds(const Words& words) {
    std::vector<int> open;
    for (int fd = 0; fd < 2000; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0)
            open.push_back(fd);
    }
    std::string text;
    for (const int fd : open)
        text += (text.empty() ? "" : " ") + std::to_string(fd);
    text += '\n';
    if (words.empty())
        return ::dprintf(1, "%s", text.c_str()) < 0 ? 1 : 0;
    std::ofstream(words.front()) << text;
    return 0;
}

int count(const Words& words) {
    const int token = ::open(words.at(1).c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (token < 0) {
        std::fprintf(stderr, "helper: not alone\n");
        return 1;
    }
    int value = 0;
    std::ifstream(words.at(0)) >> value;
    ::sched_yield();
    std::ofstream(words.at(0)) << value + 1;
    ::unlink(words.at(1).c_str());
    return 0;
}

} // namespace finally_run::helper
