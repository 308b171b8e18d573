// The rules of the verdict, proved on small logs.
#pragma once

namespace finally_run::crash {

// How many rules said something else than they should; prints which.
[[nodiscard]] int check_rules();

} // namespace finally_run::crash
