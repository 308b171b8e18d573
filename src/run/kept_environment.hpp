// Which variables a run leaves to recovery.
#pragma once

#include <string>
#include <vector>

namespace finally_run::run {

struct KeptEnvironment {
    std::vector<std::string> entries;  // "NAME=value"
    std::vector<std::string> withheld; // names of what looks like a secret
};

// `environment` ends with a null. Kept is all but secrets, which are told by their names; what belongs to a terminal or
// a shell; and what CI systems hunt leftovers by. A pattern (fnmatch(3)) keeps what matches it besides; the word "none"
// among them keeps only what every program needs (PATH, HOME, LANG and the like), and what matches the others. Where
// whoever started us has fewer rights than we have, it is always "none".
[[nodiscard]] KeptEnvironment kept_environment(char* const* environment, const std::vector<std::string>& patterns);

} // namespace finally_run::run
