#include "action/all_users.hpp"

#include "action/status.hpp"
#include "os/error.hpp"
#include "os/state_dir.hpp"
#include "os/whoami.hpp"
#include "report/status.hpp"
#include "text/quoted_path.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::action {

namespace {

namespace fs = std::filesystem;

bool is_directory_of(const fs::path& path, uid_t uid) {
    struct stat info = {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == uid;
}

// Where the runs of an account are by default: os/state_dir.hpp. What its variables say is not known here. No link is
// followed that it could have made.
std::vector<fs::path> places_of(const os::Account& account) {
    std::vector<fs::path> found;
    std::error_code error;
    fs::path below_home = fs::canonical(account.home, error); // a link in its place is root's
    bool own = !error && is_directory_of(below_home, account.uid);
    for (const char* const part : {".local", "state", "finally-run"}) {
        below_home /= part;
        own = own && is_directory_of(below_home, account.uid);
    }
    if (own) {
        found.push_back(below_home);
    }
    const std::string uid = std::to_string(account.uid);
    for (const fs::path& path : {fs::path("/var/tmp/finally-run-" + uid), "/run/user" / fs::path(uid) / "finally-run",
                                 fs::path("/dev/shm/finally-run-" + uid)}) {
        if (is_directory_of(path, account.uid)) {
            found.push_back(path);
        }
    }
    return found;
}

void look_at(const os::Account& account, std::vector<report::Place>& all, const plan::Status& request) {
    const os::ActingAs user(account);
    auto paths = places_of(account);
    if (account.uid == ::getuid()) {
        if (const auto ours = os::state_dir_path(request.state_dir); std::ranges::find(paths, ours) == paths.end()) {
            paths.insert(paths.begin(), ours);
        }
    }
    for (const fs::path& path : paths) {
        report::Place place;
        try {
            place = look(path, account.name);
        } catch (const std::exception& error) {
            place.looked.state_dir = path;
            place.looked.user = account.name;
            place.error = os::text_of(error);
        }
        if (!place.runs.empty() || !place.ended.empty() || !place.locks.empty() || !place.error.empty()) {
            all.push_back(std::move(place));
        }
    }
}

} // namespace

std::string status_of_all_users(const plan::Status& request) {
    std::vector<report::Place> all;
    for (const os::Account& account : os::accounts()) {
        try {
            look_at(account, all, request);
        } catch (const std::exception& error) {
            report::Place& place = all.emplace_back();
            place.looked.user = account.name;
            place.error = os::text_of(error);
        }
    }
    if (request.json) {
        return report::places_to_json(all);
    }
    std::string text;
    for (const report::Place& place : all) {
        const std::string caller = "runuser -u " + place.looked.user + " -- finally-run --state-dir " +
                                   text::quoted_path(place.looked.state_dir);
        text += (text.empty() ? "" : "\n") + text_of(place, request, caller);
    }
    return text.empty() ? "no runs of any user here; other hosts and containers have places of their own\n" : text;
}

} // namespace finally_run::action
