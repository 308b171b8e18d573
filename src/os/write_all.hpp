// Writes to a descriptor that may be slow, full, non-blocking or gone.
#pragma once

#include <chrono>
#include <string_view>

namespace finally_run::os {

// Writes all of `bytes`, up to PIPE_BUF of them with one write(2). Gives up with ETIMEDOUT when the reader of a pipe,
// socket or terminal has taken nothing for `patience`; O_NONBLOCK makes no difference. Returns 0 or an errno. SIGPIPE
// must be blocked or ignored.
[[nodiscard]] int write_all(int descriptor, std::string_view bytes, std::chrono::milliseconds patience) noexcept;

// Whether nobody can read any more what is written to it, or it is not open: a pipe, socket or terminal that has lost
// its other end, as poll(2) tells without a write.
[[nodiscard]] bool has_lost_reader(int descriptor) noexcept;

// Whether it is a file on a disk that has no room left for us, as statvfs(3) knows; of a quota it does not.
[[nodiscard]] bool is_on_full_disk(int descriptor) noexcept;

} // namespace finally_run::os
