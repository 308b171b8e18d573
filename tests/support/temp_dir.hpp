// A directory of its own for a test; it stays if something has failed.
#pragma once

#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace finally_run::test {

class TempDir {
public:
    explicit TempDir(const std::string& name = "finally-run-unit");
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    // It goes, with all that is in it, unless it is to be kept or an exception is on its way.
    ~TempDir();

    void keep() { m_kept = true; }
    // Of all that exist and are made, until it is called with false: a check has failed.
    static void keep_all(bool kept);

    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }
    [[nodiscard]] std::string operator/(std::string_view name) const { return (m_path / name).string(); }

private:
    std::filesystem::path m_path;
    bool m_kept = false;
    int m_exceptions = std::uncaught_exceptions();
};

inline void write_file(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace finally_run::test
