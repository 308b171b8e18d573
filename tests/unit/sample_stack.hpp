// A stack of cleanups in a journal of its own.
#pragma once

#include "cleanup/stack.hpp"
#include "journal/runs.hpp"
#include "os/boot.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace finally_run::test {

inline journal::Opened first_record(std::string id = "20260101T000000-00000001") {
    journal::Opened opened;
    opened.run_id = std::move(id);
    opened.supervisor = {1, 1};
    opened.stop_signal = 15;
    opened.place.path = "/";
    opened.boot_id = os::boot_id();
    opened.pid_namespace = os::pid_namespace();
    opened.host = {os::machine_id(), os::host_name(), os::time_namespace()};
    return opened;
}

// `dir` is to hold the state directory, dir/state. Troubles are added to `troubles`, if given.
inline cleanup::Stack sample_stack(const std::filesystem::path& dir, std::vector<std::string>* troubles = nullptr) {
    journal::State state;
    state.opened = first_record();
    auto file = journal::File::create(journal::Runs(dir / "state"), state.opened, false);
    file.publish();
    return {std::move(file), std::move(state), [troubles](std::string_view what, std::string_view reason) {
                if (troubles != nullptr) {
                    troubles->push_back(std::string(what).append(": ").append(reason));
                }
            }};
}

} // namespace finally_run::test
