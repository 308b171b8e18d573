// --status: the runs of this user, from their journals.
#pragma once

#include "plan/request.hpp"
#include "report/status.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace finally_run::action {

// The text for stdout. Throws std::system_error if the state directory cannot be read.
[[nodiscard]] std::string status(const plan::Status& request);

// Its parts: what is there to be shown, and how people read it. `user` is whose it is, `program` how to call
// finally-run for it.
[[nodiscard]] report::Place look(const std::filesystem::path& state_dir, std::string user);
[[nodiscard]] std::string text_of(const report::Place& place, const plan::Status& request, std::string_view program);

} // namespace finally_run::action
