// Errors of system calls as exceptions that name the operation and its object.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <system_error>

namespace finally_run::os {

// what() is "operation: object: reason".
class Error : public std::system_error {
public:
    Error(int error, std::string_view operation, std::string_view object, std::string_view hint = {});

    [[nodiscard]] const std::string& operation() const { return m_operation; }
    [[nodiscard]] const std::string& object() const { return m_object; } // empty: none
    [[nodiscard]] const std::string& reason() const { return m_reason; } // with the hint, which what() is without

private:
    std::string m_operation;
    std::string m_object;
    std::string m_reason;
};

// Both throw Error, the first with errno: call it before anything else can change that.
[[noreturn]] void throw_errno(std::string_view operation, std::string_view object = {});
[[noreturn]] void throw_error(int error, std::string_view operation, std::string_view object = {},
                              std::string_view hint = {});

// strerror(3)'s text without its locale: "No such file or directory".
[[nodiscard]] std::string_view error_text(int error);
// what(), but for std::bad_alloc, whose own is the name of a type. Valid as long as the exception.
[[nodiscard]] std::string_view text_of(const std::exception& error);

} // namespace finally_run::os
