#include "cleanup/removal.hpp"

#include "../os/child.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <vector>

namespace {

using namespace finally_run;
using namespace std::chrono_literals;
using test::TempDir;
namespace fs = std::filesystem;

const std::function<void()> nothing = [] {};
const std::function<void(const os::Signal&)> deaf = [](const os::Signal&) {};

// A directory with something in it, and the removal of that.
struct Scene {
    TempDir temp;
    std::string tree = temp / "tree";
    os::Events events{test::signals(), {}};

    Scene() {
        fs::create_directories(tree + "/sub");
        test::write_file(tree + "/sub/file", "x");
    }

    cleanup::Outcome run(text::Limit limit = std::nullopt,
                         const std::function<void(const os::Signal&)>& on_signal = deaf,
                         const std::function<void()>& in_child = nothing) {
        return cleanup::run_removal({AT_FDCWD, tree}, limit, events, on_signal, in_child);
    }
};

// From here on unlinkat(2) does not return, as on a disk that does not answer, in this process and all that it forks.
// The one who has asked can be killed. For a forked process.
class HungDisk {
public:
    HungDisk() {
        std::array<sock_filter, 4> filter{{
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unlinkat, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        }};
        const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        m_listener = os::Fd(static_cast<int>(
            ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program)));
        test::expect(static_cast<bool>(m_listener), "no filter");
    }

    // Until somebody has asked it.
    void wait() const {
        pollfd asked{m_listener.get(), POLLIN, 0};
        test::expect(::poll(&asked, 1, 30'000) == 1, "nobody asks the disk");
    }

private:
    os::Fd m_listener;
};

} // namespace

TEST_CASE("a removal is done by a process of its own, in a session of its own") {
    Scene scene;
    test::Gate gate;
    const auto outcome =
        scene.run({}, deaf, [&] { gate.open(std::to_string(::getpid()) + " " + std::to_string(::getsid(0))); });
    CHECK(outcome.error.empty());
    CHECK_FALSE(fs::exists(scene.tree));
    const std::string told = gate.rest();
    const std::string pid = told.substr(0, told.find(' '));
    CHECK(told == pid + " " + pid);
    CHECK(pid != std::to_string(::getpid()));
    CHECK(::waitpid(std::stoi(pid), nullptr, WNOHANG) == -1); // it has been reaped
}

TEST_CASE("what stands in the way of a removal is told by the process that met it") {
    Scene scene;
    test::Forked process([&] {
        test::refuse_system_call(SYS_unlinkat, EROFS);
        const auto outcome = scene.run();
        test::expect(outcome.error == "sub/file: Read-only file system", outcome.error.c_str());
    });
    CHECK(process.succeeded());
}

TEST_CASE("a removal that hangs on its disk ends at the time limit, and signals are heard meanwhile") {
    Scene scene;
    test::Forked process([&] {
        const HungDisk disk;
        ::kill(::getpid(), SIGTERM);
        std::vector<int> heard;
        const auto outcome = scene.run(1s, [&](const os::Signal& signal) {
            disk.wait(); // so it hangs
            heard.push_back(signal.number);
        });
        test::expect(outcome.error == "stopped: it took longer than --cleanup-timeout", outcome.error.c_str());
        test::expect(heard == std::vector<int>{SIGTERM}, "the signal was not heard");
    });
    CHECK(process.succeeded());
    CHECK(fs::exists(scene.tree));
}

TEST_CASE("while a removal hangs, nothing but its way back and stderr is open in it, no lock and no journal") {
    Scene scene;
    test::Forked process([&] {
        const HungDisk disk;
        const os::Fd lock(::open((scene.temp / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        test::Gate pid;
        ::kill(::getpid(), SIGTERM);
        std::vector<std::string> open;
        const auto outcome = scene.run(
            1s,
            [&](const os::Signal&) {
                disk.wait();
                std::array<char, 16> text{};
                static_cast<void>(::read(pid.reader(), text.data(), text.size() - 1));
                for (const auto& entry : fs::directory_iterator("/proc/" + std::string(text.data()) + "/fd")) {
                    open.push_back(fs::read_symlink(entry.path()));
                }
            },
            [&] { pid.open(std::to_string(::getpid())); });
        test::expect(std::ranges::count_if(open, [](const auto& name) { return name.ends_with("/lock"); }) == 0,
                     "the lock");
        // stderr, the pipe, the directory above the tree, and where it is.
        test::expect(open.size() >= 2 && open.size() <= 4, std::to_string(open.size()).c_str());
    });
    CHECK(process.succeeded());
}

TEST_CASE("a removal that not even SIGKILL ends is left behind") {
    Scene scene;
    // Traced, it stops once more on its way out: as if it were caught in the kernel.
    test::Forked tracer([&] {
        const test::Forked supervisor([&] {
            ::ptrace(PTRACE_TRACEME, 0, 0, 0);
            ::raise(SIGSTOP);
            const HungDisk disk;
            const auto outcome = scene.run(10ms);
            test::expect(
                outcome.error.starts_with("stopped: it took longer than --cleanup-timeout, and its disk does not"),
                outcome.error.c_str());
        });
        static_cast<void>(::waitpid(supervisor.pid(), nullptr, WUNTRACED));
        ::ptrace(PTRACE_SETOPTIONS, supervisor.pid(), 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
        ::ptrace(PTRACE_CONT, supervisor.pid(), 0, 0);
        for (;;) {
            int status = 0;
            const pid_t pid = ::waitpid(-1, &status, __WALL);
            test::expect(pid > 0, "waitpid");
            if (!WIFSTOPPED(status)) {
                test::expect(pid == supervisor.pid() && status == 0, "the removal has ended, or its parent failed");
                return;
            }
            const bool leaving = status >> 16 == PTRACE_EVENT_EXIT;
            const bool own_stop = status >> 16 != 0 || WSTOPSIG(status) == SIGSTOP;
            if (!leaving || pid == supervisor.pid()) {
                ::ptrace(PTRACE_CONT, pid, 0, own_stop ? 0 : WSTOPSIG(status));
            }
        }
    });
    CHECK(tracer.succeeded());
}

TEST_CASE("without a process or a descriptor to be had, a removal is done all the same") {
    for (const long call : {SYS_clone, SYS_pipe2}) {
        Scene scene;
        test::Forked process([&] {
            test::refuse_system_call(call, EAGAIN);
            test::expect(scene.run(1s).error.empty(), "it has failed");
        });
        CHECK(process.succeeded());
        CHECK_FALSE(fs::exists(scene.tree));
    }
}

TEST_CASE("a removal goes on through stop signals to its process, and says what killed it") {
    Scene scene;
    const auto kill_me = [](int signal) { return [signal] { ::kill(::getpid(), signal); }; };
    CHECK(scene.run({}, deaf, kill_me(SIGKILL)).error == "killed by KILL");
    CHECK(fs::exists(scene.tree));
    CHECK(scene.run({}, deaf, kill_me(SIGTERM)).error.empty());
    CHECK_FALSE(fs::exists(scene.tree));
}
