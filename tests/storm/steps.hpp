// What the runs of a storm consist of: a setup, a command with workers, cleanups. Each looks whether it may be there.
//
// A run takes the token in its setup and gives it back in its first cleanup, which runs last: whoever finds another's
// token there, or no lock, or somebody else at work, has a violation to report.
#pragma once

#include "place.hpp"

namespace finally_run::storm {

int setup(const Place& place, const std::string& number);

// Counts, and has workers that defer cleanups, all at once. The argument is NUMBER:DEFERRALS, and
// :straggler if one of them is to begin when the command ends. That of a worker is NAME:DEFERRALS.
int command(const Place& place, const std::string& argument);
// One that ends at once; its stragglers defer what they can.
int rush(const Place& place, const std::string& name);

int worker(const Place& place, const std::string& argument);

int deferred(const Place& place, const std::string& word);
int leave(const Place& place, const std::string& number);

} // namespace finally_run::storm
