#include "report/ci_log.hpp"

#include "os/variables.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace finally_run::report {

namespace {

std::string_view value_of(const char* const* environment, std::string_view name) {
    const char* const value = os::variable_in(environment, name);
    return value != nullptr ? value : "";
}

std::string escaped(std::string_view text, std::string_view special) {
    std::string result;
    for (const char character : text) {
        if (special.find(character) == std::string_view::npos) {
            result += character;
        } else {
            result += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(character)));
        }
    }
    return result;
}

constexpr std::string_view data_special = "%\r\n";
constexpr std::string_view property_special = "%\r\n:,";

std::string allowed_name(std::string_view name) {
    std::string result(name);
    std::ranges::replace_if(
        result,
        [](char c) {
            return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.');
        },
        '_');
    return result;
}

std::chrono::sys_seconds now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

} // namespace

plan::Ci resolve_ci(plan::Ci asked, const char* const* environment) {
    if (asked != plan::Ci::automatic) {
        return asked;
    }
    if (!value_of(environment, "FINALLY_RUN_RESULT").empty()) {
        return plan::Ci::none;
    }
    if (value_of(environment, "GITHUB_ACTIONS") == "true") {
        return plan::Ci::github;
    }
    return value_of(environment, "GITLAB_CI") == "true" ? plan::Ci::gitlab : plan::Ci::none;
}

std::string github_group(std::string_view title) { return "::group::" + escaped(title, data_special) + '\n'; }

std::string github_error(std::string_view title, std::string_view text) {
    return "::error title=" + escaped(title, property_special) + "::" + escaped(text, data_special) + '\n';
}

std::string gitlab_start(std::chrono::sys_seconds now, std::string_view name, std::string_view header) {
    return fmt::format("\x1b[0Ksection_start:{}:{}[collapsed=true]\r\x1b[0K{}\n", now.time_since_epoch().count(),
                       allowed_name(name), header);
}

std::string gitlab_end(std::chrono::sys_seconds now, std::string_view name) {
    return fmt::format("\x1b[0Ksection_end:{}:{}\r\x1b[0K\n", now.time_since_epoch().count(), allowed_name(name));
}

std::string duration_text(text::Duration duration) {
    const auto total = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    const auto seconds = total / 1000;
    if (total < 1000) {
        return fmt::format("{}ms", total);
    }
    if (seconds < 60) {
        return fmt::format("{}.{}s", seconds, total % 1000 / 100);
    }
    if (seconds < 3600) {
        return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    }
    return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
}

CiLog::CiLog(plan::Ci resolved, std::string_view run_id, Messages& messages)
    : m_ci(resolved), m_run_id(run_id), m_messages(messages) {}

void CiLog::open_section(std::string_view what, std::string_view object) {
    ++m_sections;
    m_what = what;
    m_object = object;
    const std::string title = text_of({what, object});
    if (m_ci == plan::Ci::github) {
        m_messages.raw(github_group(title));
    } else if (m_ci == plan::Ci::gitlab) {
        m_messages.raw(gitlab_start(now(), section_name(), title));
    }
}

void CiLog::close_section(std::string_view result, text::Duration took) {
    // The result comes first because a step's output need not end its last line, and a mark counts only at the start of
    // one.
    const std::string line =
        text_of({m_what, m_object, fmt::format("{} after {}", result, duration_text(took))}) + '\n';
    if (m_ci == plan::Ci::github) {
        m_messages.raw(line + "::endgroup::\n");
    } else if (m_ci == plan::Ci::gitlab) {
        m_messages.raw(line + gitlab_end(now(), section_name()));
    }
}

void CiLog::failure(std::string_view what, std::string_view object, std::string_view reason,
                    std::string_view next_step) {
    if (m_ci == plan::Ci::github) {
        m_messages.raw(github_error(text_of({what}), text_of({what, object, reason})));
        if (!next_step.empty()) {
            m_messages.error(next_step);
        }
    } else if (next_step.empty()) {
        m_messages.error(what, object, reason);
    } else {
        m_messages.error(what, object, fmt::format("{}: {}", reason, next_step));
    }
}

std::string CiLog::section_name() const { return fmt::format("finally_run_{}_{}", m_run_id, m_sections); }

} // namespace finally_run::report
