// Folded sections and annotations in the logs of GitHub Actions and GitLab CI.
//
// GitHub: docs.github.com, "Workflow commands"; its runner also takes `##[command]` anywhere in a line (actions/runner,
// ActionCommand.cs). GitLab: docs.gitlab.com, "Custom collapsible sections". Both read stderr as well as stdout.
#pragma once

#include "plan/plan.hpp"
#include "report/messages.hpp"
#include "text/duration.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace finally_run::report {

// Which log `automatic` means, by an environment as in environ(7). Never one inside the cleanup of an outer run: that
// run has a section open, and GitHub's do not nest.
[[nodiscard]] plan::Ci resolve_ci(plan::Ci asked, const char* const* environment);

// The marks themselves, each a whole line. Titles and texts are free of control characters already (text_of,
// plan::visible); what else could end a mark or start another one is escaped here.
[[nodiscard]] std::string github_group(std::string_view title);
[[nodiscard]] std::string github_error(std::string_view title, std::string_view text);
[[nodiscard]] std::string gitlab_start(std::chrono::sys_seconds now, std::string_view name, std::string_view header);
[[nodiscard]] std::string gitlab_end(std::chrono::sys_seconds now, std::string_view name);

// "350ms", "1.2s", "2m05s", "1h02m".
[[nodiscard]] std::string duration_text(text::Duration duration);

// One section at a time. With Ci::none it prints nothing but failures. Foreign text is passed raw.
class CiLog {
public:
    // `run_id` keeps the sections of several runs in one job apart. `messages` stays the caller's and outlives this.
    CiLog(plan::Ci resolved, std::string_view run_id, Messages& messages);

    // what: "setup", "cleanup"; object: the step's text.
    void open_section(std::string_view what, std::string_view object);
    // Ends the section with the line `what: object: result after 1.2s`.
    void close_section(std::string_view result, text::Duration took);

    // The one report of a failed step: an annotation at GitHub, else an ordinary error. After
    // close_section(), or it stays folded away. `next_step` is what a person can do now: no part of an annotation.
    void failure(std::string_view what, std::string_view object, std::string_view reason,
                 std::string_view next_step = {});

private:
    [[nodiscard]] std::string section_name() const;

    plan::Ci m_ci;
    std::string m_run_id;
    Messages& m_messages;
    unsigned m_sections = 0;
    std::string m_what;
    std::string m_object;
};

} // namespace finally_run::report
