#include "os/title.hpp"

#include <algorithm>
#include <cstring>
#include <sys/prctl.h>

namespace finally_run::os {

void retitle(const char* name, const std::string& title, char** argv, char** envp) {
    ::prctl(PR_SET_NAME, name, 0, 0, 0);
    // The kernel lays the words out one behind the other, first the arguments, then the environment, and shows that
    // very memory. A string that was put elsewhere since ends the stretch.
    char* const begin = argv[0];
    char* end = begin;
    for (char** words : {argv, envp}) {
        for (; words != nullptr && *words != nullptr; ++words) {
            if (*words == end) {
                end += std::strlen(end) + 1;
            }
        }
    }
    if (begin == nullptr || begin == end) {
        return;
    }
    // A title that is longer than the arguments were goes on into the environment's place; the last byte stays a NUL.
    const std::size_t room = static_cast<std::size_t>(end - begin) - 1;
    std::memset(begin, 0, room);
    std::copy_n(title.begin(), std::min(title.size(), room), begin);
}

} // namespace finally_run::os
