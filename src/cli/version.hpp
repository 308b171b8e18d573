// Which finally-run this is.
#pragma once

namespace finally_run::cli {

// What --version prints, with its newline. Only the program has it: each build writes it anew, into a file of its own,
// because it says the commit.
extern const char* const version_line;

} // namespace finally_run::cli
