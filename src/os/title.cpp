#include "os/title.hpp"

#include <algorithm>
#include <cstring>
#include <sys/prctl.h>

namespace finally_run::os {

TitlePlace title_place(const MainArgs& main_args) {
    // The kernel lays the words out one behind the other, first the arguments, then the environment, and shows that
    // very memory. A string that was put elsewhere since ends the stretch.
    char* const begin = main_args.argv[0];
    char* end = begin;
    for (char** words : {main_args.argv, main_args.envp}) {
        for (; words != nullptr && *words != nullptr; ++words) {
            if (*words == end) {
                end += std::strlen(end) + 1;
            }
        }
    }
    if (begin == nullptr || begin == end) {
        return {};
    }
    // A title that is longer than the arguments were goes on into the environment's place; the last byte stays a NUL.
    return {begin, static_cast<std::size_t>(end - begin) - 1};
}

void set_title(const std::string& title, const TitlePlace& place) {
    if (place.begin != nullptr) {
        std::memset(place.begin, 0, place.room);
        std::copy_n(title.begin(), std::min(title.size(), place.room), place.begin);
    }
}

void set_process_title(const char* name, const std::string& title, const MainArgs& main_args) {
    ::prctl(PR_SET_NAME, name, 0, 0, 0);
    set_title(title, title_place(main_args));
}

} // namespace finally_run::os
