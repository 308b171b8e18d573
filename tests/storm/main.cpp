// storm [SECONDS]: 200 runs contend for one lock and defer cleanups, while their processes are killed at random.
// At the end nothing that was promised may be missing. With other arguments it is a step of such a run.
#include "contenders.hpp"
#include "killer.hpp"
#include "place.hpp"
#include "steps.hpp"
#include "support/temp_dir.hpp"
#include "verdict.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <system_error>

namespace finally_run::storm {

namespace {

constexpr unsigned contending = 200;
constexpr unsigned deferrals = 40; // more turns in the same time
constexpr unsigned patience = 300; // seconds, on a busy machine

using Clock = std::chrono::steady_clock;

Place make_place(const fs::path& root) {
    Place place{root, ::getpid()};
    fs::create_directory(place.temp());
    fs::create_directory(place.removed());
    fs::create_symlink(FINALLY_RUN_BINARY, place.finally_run());
    fs::create_symlink(fs::read_symlink("/proc/self/exe"), place.self());
    return place;
}

void make_environment(const Place& place) {
    ::clearenv(); // CI variables and FINALLY_RUN_ defaults of the tester change what is tested
    ::setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
    ::setenv("HOME", place.root.c_str(), 1);
    ::setenv("TMPDIR", place.temp().c_str(), 1);
}

void rage(Contenders& contenders, Killer& killer, unsigned seconds) {
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    auto next_kill = Clock::now() + std::chrono::seconds(1);
    auto next_other = next_kill;
    while (Clock::now() < end) {
        contenders.reap();
        for (unsigned fresh = 0; fresh < 10 && contenders.contending() < contending; ++fresh) {
            contenders.start_run(deferrals, random_below(3) == 0);
        }
        if (Clock::now() >= next_other) {
            contenders.start_other();
            next_other = Clock::now() + std::chrono::milliseconds(random_below(500));
        }
        if (Clock::now() >= next_kill) {
            killer.strike();
            // Now one at a time, now some in a row.
            next_kill = Clock::now() + std::chrono::milliseconds(random_below(random_below(8) == 0 ? 10 : 500));
        }
        pause(2);
    }
}

bool somebody_was_rescued(const Place& place) {
    const auto lines = lines_of(place.ended());
    return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        return line.find(" guardian ") != line.npos || line.find(" recovery ") != line.npos;
    });
}

std::size_t left_over(const Place& place) {
    std::error_code none;
    std::size_t found = 0;
    for (const auto& entry : fs::recursive_directory_iterator(place.runs(), none)) {
        const auto extension = entry.path().extension();
        found += extension == ".journal" || extension == ".left" ? 1 : 0;
    }
    return found;
}

// False: somebody would not end.
bool recover(const Place& place, Contenders& contenders) {
    for (unsigned attempts = 0; attempts < 10 && left_over(place) > 0; ++attempts) {
        contenders.start({place.finally_run(), "--state-dir", place.state(), "--recover"}, false);
        if (!contenders.reap_all(patience)) {
            return false;
        }
    }
    return true;
}

// When nobody is killed, nobody is handed to us to be reaped, and each run ends well.
bool calm(const Place& place, Contenders& contenders) {
    constexpr unsigned few = 10;
    const unsigned orphans_before = contenders.orphans();
    const unsigned whole_before = contenders.whole();
    for (unsigned i = 0; i < few; ++i) {
        contenders.start_run(8, false);
    }
    const bool over = contenders.reap_all(patience);
    if (contenders.orphans() != orphans_before || contenders.whole() != whole_before + few) {
        violation(place, "after the storm: " + std::to_string(contenders.orphans() - orphans_before) + " orphans, " +
                             std::to_string(contenders.whole() - whole_before) + " of " + std::to_string(few) +
                             " runs ended well");
    }
    return over;
}

// Everything that lives has come from us, and would outlive us.
void kill_the_rest(const Place& place, Contenders& contenders) {
    for (const Process& process : living_processes()) {
        const std::string line = test::command_line(process.pid);
        if (line.find(place.root) != line.npos || process.parent == place.harness) {
            violation(place, "does not end: " + std::to_string(process.pid) + " " + line);
            Target(process).kill();
        }
    }
    static_cast<void>(contenders.reap_all(10));
}

int storm(unsigned seconds) {
    test::TempDir directory("finally-run-storm");
    const Place place = make_place(directory.path());
    make_environment(place);
    // The shared session, and nobody's terminal.
    ::setsid();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    Contenders contenders(place);
    Killer killer(place, contenders);

    std::size_t left = 0;
    bool over = false;
    try {
        constexpr int most_rounds = 5; // on a machine that is busy with other things
        for (int round = 0; round == 0 || (round < most_rounds && !somebody_was_rescued(place)); ++round) {
            rage(contenders, killer, seconds);
        }
        contenders.tell_to_end();
        over = contenders.reap_all(patience);
        left = left_over(place);
        over = over && recover(place, contenders) && calm(place, contenders);
    } catch (const std::exception& error) {
        violation(place, std::string("the harness: ") + error.what());
    }
    if (!over) {
        kill_the_rest(place, contenders);
    }

    const Verdict verdict = judge(place, killer.cut_off());
    const auto violations = lines_of(place.violations());
    std::printf("storm of %u s: %u runs started, %u ended undisturbed, %zu had the lock\n", seconds,
                contenders.started(), contenders.whole(), verdict.turns);
    std::printf("kills: %u (%s)\n", killer.kills(), killer.summary().c_str());
    std::printf("deferrals: %zu acknowledged, %zu refused, %zu ran, %zu of them again, %zu failed, %zu lost\n",
                verdict.acknowledged, verdict.refused, verdict.ran, verdict.again, verdict.failed, verdict.lost);
    std::printf("finished by the guardian %zu, by recovery %zu; left for --recover at the end %zu\n",
                verdict.by_guardian, verdict.by_recovery, left);
    std::printf("violations: %zu\n", violations.size());
    constexpr std::size_t most = 20;
    for (std::size_t i = 0; i < violations.size() && i < most; ++i) {
        std::printf("  %s\n", violations[i].c_str());
    }
    // A storm in which nothing happens proves nothing.
    const bool happened =
        verdict.acknowledged > 0 && verdict.failed > 0 && verdict.by_guardian + verdict.by_recovery > 0;
    if (!happened) {
        std::printf("too little has happened\n");
    }
    if (violations.empty() && happened) {
        return EXIT_SUCCESS;
    }
    directory.keep();
    return EXIT_FAILURE;
}

int step(const std::string& name, const Place& place, const std::string& argument) {
    ::prctl(PR_SET_NAME, ("storm-" + name).c_str());
    try {
        if (name == "setup") {
            return setup(place, argument);
        }
        if (name == "command") {
            return command(place, argument);
        }
        if (name == "rush") {
            return rush(place, argument);
        }
        if (name == "worker") {
            return worker(place, argument);
        }
        return name == "leave" ? leave(place, argument) : deferred(place, argument);
    } catch (const std::exception& error) {
        violation(place, name + " " + argument + ": " + error.what());
        return EXIT_FAILURE;
    }
}

} // namespace

} // namespace finally_run::storm

int main(int argc, char** argv) {
    using namespace finally_run::storm;
    try {
        if (argc == 5) {
            return step(argv[1], {argv[2], std::atoi(argv[3])}, argv[4]);
        }
        // A process of its own, which can have a session of its own.
        const unsigned seconds = argc > 1 ? static_cast<unsigned>(std::stoul(argv[1])) : 30;
        const pid_t harness = ::fork();
        if (harness == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const int status = storm(seconds);
            std::fflush(stdout);
            ::_exit(status);
        }
        const int status = wait_for(harness);
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "storm: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
