// Errors of system calls as exceptions that name the operation and its object.
#pragma once

#include <string_view>

namespace finally_run::os {

// Throws std::system_error with errno and "operation: object". Call it before anything else can change errno.
[[noreturn]] void throw_errno(std::string_view operation, std::string_view object = {});
[[noreturn]] void throw_error(int error, std::string_view operation, std::string_view object = {});

// strerror(3)'s text without its locale: "No such file or directory".
[[nodiscard]] std::string_view error_text(int error);

} // namespace finally_run::os
