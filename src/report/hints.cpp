#include "report/hints.hpp"

#include "text/quoted_path.hpp"

#include <sys/stat.h>

namespace finally_run::report {

namespace {

bool is_line_for_a_shell(std::string_view command) {
    return command.find_first_of(" \t\n|&;<>()$`*?\"'") != std::string_view::npos;
}

bool is_file_here(const std::string& name) {
    struct stat info = {};
    return !name.empty() && name.find('/') == std::string::npos && ::stat(name.c_str(), &info) == 0 &&
           S_ISREG(info.st_mode);
}

} // namespace

std::string hint_on_missing(std::string_view command) {
    const std::string name(command);
    if (is_file_here(name)) {
        return "; it is not in PATH, but here: ./" + text::quoted_path(name);
    }
    if (is_line_for_a_shell(command)) {
        return "; a line for a shell is run by: sh -c " + text::quoted_path(name);
    }
    return {};
}

} // namespace finally_run::report
