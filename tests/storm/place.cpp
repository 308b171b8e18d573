#include "place.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <random>
#include <system_error>

namespace finally_run::storm {

std::vector<std::string> words_of(const Place& place, std::string_view step, std::string_view argument) {
    return {place.self(), std::string(step), place.root, std::to_string(place.harness), std::string(argument)};
}

std::string cmd_of(const Place& place, std::string_view step, std::string_view argument) {
    std::string cmd;
    for (const std::string& word : words_of(place, step, argument)) {
        cmd += (cmd.empty() ? "" : " ") + word;
    }
    return cmd;
}

void append(const fs::path& file, const std::string& line) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    const std::string text = line + '\n';
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        fail(file);
    }
    ::close(fd);
}

void violation(const Place& place, const std::string& what) { append(place.violations(), what); }

std::vector<std::string> lines_of(const fs::path& file) {
    std::ifstream stream(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::vector<std::string> split(std::string_view line) {
    std::vector<std::string> words;
    while (!line.empty()) {
        const auto blank = line.find(' ');
        words.emplace_back(line.substr(0, blank));
        line.remove_prefix(blank == line.npos ? line.size() : blank + 1);
    }
    return words;
}

void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

unsigned random_below(unsigned limit) {
    static std::mt19937 generator(std::random_device{}());
    return std::uniform_int_distribution<unsigned>(0, limit - 1)(generator);
}

void pause(unsigned milliseconds) { ::poll(nullptr, 0, static_cast<int>(milliseconds)); }

} // namespace finally_run::storm
