// The user's directory of locks and run files.
#pragma once

#include "os/fd.hpp"

#include <filesystem>
#include <string_view>

namespace finally_run::os {

// The option if given, else $FINALLY_RUN_STATE_DIR (the option's default): asked for by name, it is that one or none.
// Else the first that can be had of $XDG_STATE_HOME/finally-run, ~/.local/state/finally-run,
// /var/tmp/finally-run-UID, $XDG_RUNTIME_DIR/finally-run and /dev/shm/finally-run-UID. Absolute; nothing is created.
[[nodiscard]] std::filesystem::path state_dir_path(std::string_view option);

struct StateDir {
    std::filesystem::path path;
    bool can_be_had = true; // false: not even a default place; what is asked for by name is had or refused later
};

// The same, with whether there is one at all.
[[nodiscard]] StateDir find_state_dir(std::string_view option);

// Opens it, after creating it and its missing parents with mode 0700. Throws std::system_error if it is not a
// directory of ours with mode 0700: others could then plant locks and files in it. A symbolic link is refused.
[[nodiscard]] Fd open_state_dir(const std::filesystem::path& path);

} // namespace finally_run::os
