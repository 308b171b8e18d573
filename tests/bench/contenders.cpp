#include "contenders.hpp"

namespace finally_run::bench {

std::string victim(const Place& place) { return place.path("victim"); }

std::vector<Contender> contenders(const Place& place) {
    const std::string lock = place.path("lock");
    const std::string file = victim(place);
    const std::string ours = FINALLY_RUN_BINARY;
    const std::string trap = "trap 'rm -f " + file + "' EXIT; true";
    const std::string python =
        "import os, subprocess\ntry:\n    subprocess.run(['true'])\nfinally:\n    os.remove('" + file + "')\n";
    return {
        {"true", {"/usr/bin/true"}},
        {name::twice, {"/usr/bin/true"}, false, false, 2},
        {"vfork wrapper", {BENCH_WRAPPER, "true"}},
        {name::flock, {"/usr/bin/flock", lock, "true"}},
        {"timeout", {"/usr/bin/timeout", "60", "true"}},
        {name::tini, {"/usr/bin/tini", "-s", "true"}},
        {name::dumb_init, {"/usr/bin/dumb-init", "true"}},
        {"sh trap", {"/bin/sh", "-c", trap}},
        {name::flock_trap, {"/usr/bin/flock", lock, "sh", "-c", trap}},
        {"python3 finally", {"/usr/bin/python3", "-c", python}},
        {name::bare, {ours, "true"}, true},
        {name::lock, {ours, "--lock", "bench", "true"}, true},
        {name::lock_cleanup, {ours, "--lock", "bench", "--cleanup", "rm -f " + file, "true"}, true},
        {name::lock_remove, {ours, "--lock", "bench", "--remove", file, "true"}, true},
        {name::defer, {ours, "--defer", "/usr/bin/true"}, true, true},
    };
}

} // namespace finally_run::bench
