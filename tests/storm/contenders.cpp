#include "contenders.hpp"

#include "processes.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

namespace finally_run::storm {

void Contenders::start(std::vector<std::string> words, bool run) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const bool own_session = random_below(2) == 0; // the others share ours, as the runs of one CI job do
    const pid_t pid = ::fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        if (own_session) {
            ::setsid();
        }
        ::dup2(::open("/dev/null", O_RDWR | O_CLOEXEC), STDIN_FILENO);
        const int messages = ::open(m_place.messages().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        ::dup2(messages, STDOUT_FILENO);
        ::dup2(messages, STDERR_FILENO);
        ::execv(argv.front(), argv.data());
        ::_exit(99);
    }
    m_living.emplace(pid, Contender{.words = std::move(words), .run = run});
}

void Contenders::start_run(unsigned deferrals, bool straggler) {
    const std::string number = std::to_string(++m_number);
    std::vector<std::string> words{m_place.finally_run(),
                                   "--state-dir",
                                   m_place.state(),
                                   "--lock",
                                   m_place.lock().filename(),
                                   "--cleanup",
                                   cmd_of(m_place, "leave", number),
                                   "--remove",
                                   m_place.removed() / number,
                                   "--setup",
                                   cmd_of(m_place, "setup", number),
                                   "--temp-dir",
                                   "SCRATCH",
                                   "--"};
    for (std::string& word :
         words_of(m_place, "command", number + ":" + std::to_string(deferrals) + (straggler ? ":straggler" : ""))) {
        words.push_back(std::move(word));
    }
    start(std::move(words), true);
}

void Contenders::start_other() {
    std::vector<std::string> words{m_place.finally_run(), "--state-dir", m_place.state()};
    switch (random_below(8)) {
    case 0:
        words.emplace_back("--recover");
        break;
    case 1:
        words.emplace_back("--status");
        break;
    case 2: // marks what is left over
        words.emplace_back("/bin/true");
        break;
    default:
        words.emplace_back("--");
        for (std::string& word : words_of(m_place, "rush", std::string(loose) + std::to_string(++m_rushes))) {
            words.push_back(std::move(word));
        }
        break;
    }
    start(std::move(words), false);
}

void Contenders::ended(const Contender& contender, int status) {
    const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    m_whole += well && contender.run ? 1 : 0;
    const bool step_lost = WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL && contender.step_killed;
    constexpr int still_failing = 120; // cleanups, of which the verdict asks the status
    const bool recovered =
        WIFEXITED(status) && WEXITSTATUS(status) == still_failing && contender.words.back() == "--recover";
    if (well || contender.killed || step_lost || recovered) {
        return;
    }
    std::string what = "wait status " + std::to_string(status) + " of";
    for (const std::string& word : contender.words) {
        what += " " + word;
    }
    violation(m_place, what);
}

bool Contenders::reap() {
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            return pid == 0 || errno != ECHILD;
        }
        const auto node = m_living.extract(pid);
        if (node.empty()) {
            ++m_orphans;
        } else {
            ended(node.mapped(), status);
        }
    }
}

bool Contenders::reap_all(unsigned seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (reap()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        pause(5);
    }
    return true;
}

void Contenders::tell_to_end() {
    for (auto& [pid, contender] : m_living) {
        contender.killed = true;
        ::kill(pid, SIGTERM);
    }
}

std::size_t Contenders::contending() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(m_living, [](const auto& entry) { return entry.second.run; }));
}

} // namespace finally_run::storm
