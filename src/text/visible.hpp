// Foreign text (names, commands, holders) made fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace finally_run::text {

// Control characters (C0, DEL, C1 and their UTF-8 forms), Unicode line breaks and direction marks, and bytes that are
// not UTF-8 come out as \n, \r, \t, \e or \xNN; a backslash as itself. What would be longer than `limit` bytes is cut
// between characters and ends with "...", both within the limit.
[[nodiscard]] std::string visible(std::string_view text, std::size_t limit = 200);

// JSON that a CI log, a terminal and a reader of both may have as it is: what is neither printable ASCII nor a letter
// comes out as \uNNNN, and so does the first of two "#", with which commands to a CI system begin. The text is UTF-8,
// and such characters are in its strings alone.
[[nodiscard]] std::string with_json_escapes(std::string_view json);

} // namespace finally_run::text
