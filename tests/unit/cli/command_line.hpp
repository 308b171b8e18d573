// A command line and an environment for cli/parse, and what becomes of them.
#pragma once

#include "cli/parse.hpp"

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::cli {

class CommandLine {
public:
    explicit CommandLine(std::vector<std::string> words, std::vector<std::string> environment = {})
        : m_words(std::move(words)), m_environment(std::move(environment)) {
        m_words.insert(m_words.begin(), "finally-run");
        m_argv = pointers_to(m_words);
        m_envp = pointers_to(m_environment);
    }
    CommandLine(const CommandLine&) = delete; // the pointers point into it
    CommandLine& operator=(const CommandLine&) = delete;

    // With its environment in place of the tester's.
    auto parse() {
        const Swapped swapped(m_envp.data());
        return cli::parse(std::span(m_argv).first(m_words.size()));
    }

    plan::Plan plan() { return std::get<plan::Plan>(parse()); }

    // What is asked for in place of a run.
    template <typename Asked> Asked asked() { return std::get<Asked>(parse()); }

    // The message; empty if all is well.
    std::string error() {
        try {
            (void)parse();
        } catch (const UsageError& error) {
            return error.what();
        }
        return {};
    }

    std::vector<std::string> command() {
        const auto words = plan().command;
        return {words.begin(), words.end()};
    }

private:
    class Swapped {
    public:
        explicit Swapped(char** environment) : m_saved(std::exchange(environ, environment)) {}
        Swapped(const Swapped&) = delete;
        Swapped& operator=(const Swapped&) = delete;
        ~Swapped() { environ = m_saved; }

    private:
        char** m_saved;
    };

    static std::vector<char*> pointers_to(std::vector<std::string>& strings) {
        std::vector<char*> pointers;
        for (auto& string : strings) {
            pointers.push_back(string.data());
        }
        pointers.push_back(nullptr);
        return pointers;
    }

    std::vector<std::string> m_words;
    std::vector<std::string> m_environment;
    std::vector<char*> m_argv;
    std::vector<char*> m_envp;
};

} // namespace finally_run::cli
