// argv and envp that main of the tests got, where the kernel has put them.
#pragma once

#include "os/title.hpp"

namespace finally_run::test {

extern os::MainArgs main_args;

} // namespace finally_run::test
