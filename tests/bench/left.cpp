#include "left.hpp"

#include "held.hpp"
#include "journal/record.hpp"
#include "processes.hpp"

#include <fmt/core.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace finally_run::bench {

namespace fs = std::filesystem;

std::vector<fs::path> journals_in(const fs::path& state) {
    std::vector<fs::path> found;
    std::error_code none;
    for (const auto& entry : fs::recursive_directory_iterator(state / ".runs", none)) {
        if (entry.path().extension() == ".journal") {
            found.push_back(entry.path());
        }
    }
    return found;
}

void leave_behind(const Place& place, const std::string& state, unsigned count) {
    {
        Held run({FINALLY_RUN_BINARY, "--lock", "left", "--cleanup", "/usr/bin/true"}, place.environment({}, state),
                 place.null());
        const pid_t guardian = guardian_of(run.wrapper());
        ::kill(run.wrapper(), SIGSTOP); // it would replace its guardian
        ::kill(guardian, SIGKILL);
    }
    const auto left = journals_in(place.path(state));
    if (left.size() != 1) {
        throw std::runtime_error("a killed run has left no journal");
    }
    std::ifstream file(left.front());
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    const auto decoded = journal::decode(bytes, 0);
    for (unsigned i = 1; i < count; ++i) {
        std::string copy;
        const std::string id = fmt::format("20200101T000000-{:08x}", i);
        for (const journal::Entry& entry : decoded.entries) {
            journal::Record record = entry.record;
            if (auto* const opened = std::get_if<journal::Opened>(&record)) {
                opened->run_id = id;
            }
            copy += journal::encode(record);
        }
        const fs::path path = left.front().parent_path() / (id + ".journal");
        std::ofstream(path) << copy;
        fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
    }
}

} // namespace finally_run::bench
