// The version that the unit tests are, so that they are not linked anew for each commit.
#include "text/version.hpp"

const char* const finally_run::text::version = "1.2.3 (0123456789ab)";
