// Which system calls of a program stop it. A stop costs two context switches, so that most of a trial's cost is theirs:
// where the kernel can tell the calls that matter from the others, only they stop.
#pragma once

#include <linux/filter.h>

#include <optional>
#include <string>
#include <vector>

namespace finally_run::crash {

// Where the code of a program that is linked statically lies, to a fixed address: what it starts lies elsewhere.
struct Code {
    unsigned begin;
    unsigned end;
};

// Nothing: the program is no such one.
[[nodiscard]] std::optional<Code> code_of(const std::string& program);

// For seccomp(2): the calls that are made from this code, or those of one number, are stops for ptrace(2).
[[nodiscard]] std::vector<sock_filter> filter_for(Code code, std::optional<long> call);

// To be called in the process itself, between fork(2) and execve(2).
[[nodiscard]] bool install(const std::vector<sock_filter>& filter);

} // namespace finally_run::crash
