// Which programs take locks that machines share: finally-run-lock-ENGINE, one for each engine.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::engine {

// Where they are looked for, in this order: beside our own program, in ../libexec/finally-run, and in each directory of
// `path` ($PATH). `program` is our own file; empty: it is not known.
[[nodiscard]] std::vector<std::filesystem::path> directories(const std::filesystem::path& program,
                                                             std::string_view path);

// The same, for this process.
[[nodiscard]] std::vector<std::filesystem::path> directories();

// The first that may be executed; nullopt: there is none.
[[nodiscard]] std::optional<std::filesystem::path> find_helper(std::string_view engine,
                                                               const std::vector<std::filesystem::path>& where);

// The engines that there are helpers for, sorted.
[[nodiscard]] std::vector<std::string> engines(const std::vector<std::filesystem::path>& where);

} // namespace finally_run::engine
