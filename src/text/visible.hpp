// Foreign text (names, commands, holders) made fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace finally_run::text {

// Control characters (C0, DEL, C1 and their UTF-8 forms), Unicode line breaks and direction marks, and bytes that are
// not UTF-8 come out as \n, \r, \t, \e or \xNN; a backslash as itself. What would be longer than `limit` bytes is cut
// between characters and ends with "...", both within the limit.
[[nodiscard]] std::string visible(std::string_view text, std::size_t limit = 200);

} // namespace finally_run::text
