// The users of this machine, and which of them we are.
#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace finally_run::os {

// Of the effective user, from /etc/passwd; its number if it has none there. NSS has no place in a static program.
[[nodiscard]] std::string user_name();

struct Account {
    std::string name;
    uid_t uid;
    gid_t gid;
    std::filesystem::path home;
};

// Those of /etc/passwd, each number once.
[[nodiscard]] std::vector<Account> accounts();

// For root: the effective user and groups are those of the account for as long as this lives. What it may not read or
// follow we do not, and it can neither signal nor trace us: our real user stays. Throws std::system_error.
class [[nodiscard]] ActingAs {
public:
    explicit ActingAs(const Account& account);
    ActingAs(const ActingAs&) = delete;
    ActingAs& operator=(const ActingAs&) = delete;
    ~ActingAs();

private:
    void undo() noexcept;

    gid_t m_gid;
    std::vector<gid_t> m_groups;
};

} // namespace finally_run::os
