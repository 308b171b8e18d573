#include "os/whoami.hpp"

#include <cstdio>
#include <memory>
#include <pwd.h>
#include <string>
#include <unistd.h>

namespace finally_run::os {

std::string user_name() {
    const std::unique_ptr<FILE, int (*)(FILE*)> users(std::fopen("/etc/passwd", "re"), std::fclose);
    while (const passwd* const user = users ? ::fgetpwent(users.get()) : nullptr) {
        if (user->pw_uid == ::geteuid()) {
            return user->pw_name;
        }
    }
    return std::to_string(::geteuid());
}

} // namespace finally_run::os
