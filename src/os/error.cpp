#include "os/error.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

namespace finally_run::os {

void throw_errno(std::string_view operation, std::string_view object) { throw_error(errno, operation, object); }

void throw_error(int error, std::string_view operation, std::string_view object) {
    std::string what(operation);
    if (!object.empty()) {
        what.append(": ").append(object);
    }
    throw std::system_error(error, std::generic_category(), what);
}

std::string_view error_text(int error) {
    const char* const text = ::strerrordesc_np(error);
    return text != nullptr ? text : "unknown error";
}

} // namespace finally_run::os
