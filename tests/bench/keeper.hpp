// Nothing stays behind: neither a process nor a file, also after Ctrl+C.
#pragma once

#include <filesystem>
#include <functional>

namespace finally_run::bench {

// Does the work in a child, in a fresh directory, and ends whatever is left of both. The child's exit status.
[[nodiscard]] int keep(const std::function<int(const std::filesystem::path& directory)>& work);

} // namespace finally_run::bench
