#include "os/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <unistd.h>

namespace finally_run::os {

namespace {

std::string joined(std::string_view operation, std::string_view object) {
    std::string what(operation);
    if (!object.empty()) {
        what.append(": ").append(object);
    }
    return what;
}

} // namespace

Error::Error(int error, std::string_view operation, std::string_view object, std::string_view hint)
    : std::system_error(error, std::generic_category(), joined(operation, object)), m_operation(operation),
      m_object(object), m_reason(error_text(error)) {
    m_reason.append(hint.empty() ? "" : "; ").append(hint);
}

void throw_errno(std::string_view operation, std::string_view object) { throw_error(errno, operation, object); }

void throw_error(int error, std::string_view operation, std::string_view object, std::string_view hint) {
    throw Error(error, operation, object, hint);
}

std::string_view error_text(int error) {
    const char* const text = ::strerrordesc_np(error);
    return text != nullptr ? text : "unknown error";
}

std::string_view text_of(const std::exception& error) {
    return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ? error_text(ENOMEM) : error.what();
}

} // namespace finally_run::os

// In place of the C++ library's, which tells the type of an exception that nobody catches, and so brings 50 KB that
// know how to write a type.
void __gnu_cxx::__verbose_terminate_handler() {
    try {
        if (std::current_exception()) {
            throw;
        }
    } catch (const std::exception& error) {
        const std::string line = std::string("finally-run: nobody expected: ").append(error.what()).append("\n");
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size()); // it aborts in any case
    } catch (...) {                                                                             // abort(3) says enough
    }
    std::abort();
}
