// The name and the words of this process, as others see them: proc(5), comm, cmdline and environ.
#pragma once

#include <string>

namespace finally_run::os {

// Takes `title` in the place of the words of the command line, and `name` (15 bytes at most) as the name of the
// process. The environment of the start is blanked where others look for it; environ must not point there any more.
// `argv` and `envp` are those of main.
void retitle(const char* name, const std::string& title, char** argv, char** envp);

} // namespace finally_run::os
