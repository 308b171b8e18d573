#include "support/temp_dir.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace finally_run::test {

namespace fs = std::filesystem;

namespace {

bool& all_are_kept() {
    static bool kept = false;
    return kept;
}

// Also what an ordinary user has locked himself out of.
void remove_tree(const fs::path& path) {
    std::error_code ignored;
    for (auto it = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, ignored);
         it != fs::recursive_directory_iterator(); it.increment(ignored)) {
        if (it->is_directory(ignored) && !it->is_symlink(ignored)) {
            fs::permissions(it->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
        }
    }
    fs::remove_all(path, ignored);
}

} // namespace

TempDir::TempDir(const std::string& name) {
    std::string pattern = fs::temp_directory_path() / (name + ".XXXXXX");
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::system_error(errno, std::generic_category(), "create " + pattern);
    }
    m_path = fs::canonical(pattern);
}

TempDir::~TempDir() {
    if (m_kept || all_are_kept() || std::uncaught_exceptions() > m_exceptions) {
        std::fprintf(stderr, "kept for you to look at: %s\n", m_path.c_str());
    } else {
        remove_tree(m_path);
    }
}

void TempDir::keep_all(bool kept) { all_are_kept() = kept; }

} // namespace finally_run::test
