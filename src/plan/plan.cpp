// What the user asked for.
#include "plan/plan.hpp"

namespace finally_run::plan {

std::string LockRequest::file_name() const {
    if (!is_at_engine()) {
        return name;
    }
    // Two names never get one file.
    std::string file;
    for (const char c : name) {
        file += c == '/' ? "%2F" : c == '%' ? "%25" : std::string(1, c);
    }
    return file;
}

} // namespace finally_run::plan
