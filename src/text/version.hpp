// Which finally-run this is.
#pragma once

namespace finally_run::text {

// "0.1.0 (abcdef123456)": the number, and the commit if it was built from one. Only the programs have it, the library
// does not: each build writes it anew, into a file of its own, because it says the commit.
extern const char* const version;

} // namespace finally_run::text
