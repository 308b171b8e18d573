// Which finally-run this is.
#pragma once

namespace finally_run {

// The line that --version prints. It is made at each build, in a file of its own, because it says the commit.
extern const char* const version_line;

} // namespace finally_run
