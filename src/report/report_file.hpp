// Puts a report where --report says.
#pragma once

#include <string>
#include <string_view>

namespace finally_run::report {

// Readers of PATH see the old file or all of the new one, by rename(2) in its directory. It has the mode of an old
// report of ours, else 0666 less the umask, and no more than another's had. A symbolic link of that name is replaced,
// never followed. What is no regular file (FIFO, terminal, /dev/null) and a descriptor that finally-run was given
// (/dev/stderr, /dev/fd/N, /proc/self/fd/N) is written to directly. A FIFO that nobody reads is an error. A relative
// PATH counts from `directory`, which may be opened with O_PATH. Throws std::system_error; then an old file is
// untouched and nothing new is left beside it.
void write_atomically(int directory, const std::string& path, std::string_view text);

} // namespace finally_run::report
