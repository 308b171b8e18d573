// The name and the words of this process, as others see them: proc(5), comm, cmdline and environ.
#pragma once

#include <cstddef>
#include <string>

namespace finally_run::os {

// argv and envp as main got them, where the kernel has put them.
struct MainArgs {
    char** argv;
    char** envp;
};

// Takes `title` in the place of the words of the command line, and `name` (15 bytes at most) as the name of the
// process. The environment of the start is blanked where others look for it; environ must not point there any more.
void set_process_title(const char* name, const std::string& title, const MainArgs& main_args);

// The memory that a title goes to. Once there is one its size can no longer be told: look before.
struct TitlePlace {
    char* begin = nullptr; // nullptr: there is none
    std::size_t room = 0;
};
[[nodiscard]] TitlePlace title_place(const MainArgs& main_args);
// Another title than the one that is there.
void set_title(const std::string& title, const TitlePlace& place);

} // namespace finally_run::os
