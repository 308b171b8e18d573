// Where a benchmark works: a directory, and the environment that all contenders get.
#pragma once

#include "child.hpp"

#include <filesystem>
#include <string>

namespace finally_run::bench {

class Place {
public:
    explicit Place(std::filesystem::path directory);

    [[nodiscard]] std::string path(const std::string& name) const { return m_directory / name; }

    // LANG is not set if `locale` is empty. The state directory is below the directory.
    [[nodiscard]] Words environment(const std::string& locale = {}, const std::string& state = "state") const;

    [[nodiscard]] int null() const { return m_null.get(); }

    // For the stderr of those that have nothing to say.
    [[nodiscard]] int errors() const { return m_errors.get(); }

    // Throws std::runtime_error with what they have said, if anything.
    void expect_silence() const;

private:
    std::filesystem::path m_directory;
    os::Fd m_null;
    os::Fd m_errors;
};

} // namespace finally_run::bench
