#include "os/whoami.hpp"

#include "os/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <grp.h>
#include <memory>
#include <pwd.h>
#include <string>
#include <unistd.h>

namespace finally_run::os {

namespace {

using Passwd = std::unique_ptr<FILE, int (*)(FILE*)>;

Passwd open_passwd() { return {std::fopen("/etc/passwd", "re"), std::fclose}; }

} // namespace

std::string user_name() {
    const Passwd users = open_passwd();
    while (const passwd* const user = users ? ::fgetpwent(users.get()) : nullptr) {
        if (user->pw_uid == ::geteuid()) {
            return user->pw_name;
        }
    }
    return std::to_string(::geteuid());
}

std::vector<Account> accounts() {
    std::vector<Account> all;
    const Passwd users = open_passwd();
    while (const passwd* const user = users ? ::fgetpwent(users.get()) : nullptr) {
        if (std::ranges::find(all, user->pw_uid, &Account::uid) == all.end()) {
            all.push_back({user->pw_name, user->pw_uid, user->pw_gid, user->pw_dir});
        }
    }
    return all;
}

ActingAs::ActingAs(const Account& account)
    : m_gid(::getegid()), m_groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0))) {
    m_groups.resize(
        static_cast<std::size_t>(std::max(::getgroups(static_cast<int>(m_groups.size()), m_groups.data()), 0)));
    if (::setgroups(0, nullptr) < 0 || ::setegid(account.gid) < 0 || ::seteuid(account.uid) < 0) {
        const int error = errno;
        undo();
        throw_error(error, "cannot act as user", account.name);
    }
}

ActingAs::~ActingAs() { undo(); }

void ActingAs::undo() noexcept {
    // g++ warns of a result that is cast to void (bug 66425).
    [[maybe_unused]] const int user = ::seteuid(::getuid());
    [[maybe_unused]] const int group = ::setegid(m_gid);
    [[maybe_unused]] const int groups = ::setgroups(m_groups.size(), m_groups.data());
}

} // namespace finally_run::os
