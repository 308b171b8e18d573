// bench [PART...] [--rounds N] [--most N] [--json FILE]: what finally-run costs, beside others. A table, not a test.
#include "keeper.hpp"
#include "os/fd.hpp"
#include "parts.hpp"
#include "text/version.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/utsname.h>
#include <thread>
#include <vector>

namespace finally_run::bench {

namespace {

struct Part {
    std::string_view name;
    void (*run)(const Place&, const Extent&, Report&);
};
constexpr std::array parts{Part{"start", start},           Part{"cleanups", cleanups}, Part{"waiters", waiters},
                           Part{"leftovers", leftovers},   Part{"status", status},     Part{"memory", memory},
                           Part{"stdout", standard_output}};

struct Options {
    std::vector<Part> parts;
    Extent extent;
    std::string json;
};

constexpr int wrong_usage = 2;

constexpr const char* usage = "it takes [PART...] [--rounds N] [--most N] [--json FILE]; parts are start, cleanups, "
                              "waiters, leftovers, status, memory, stdout";

unsigned number(std::string_view option, std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 1'000'000) {
        throw std::invalid_argument(fmt::format("{}: {}: it takes a number, 1 or more", option, text));
    }
    return value;
}

Options parse(const std::vector<std::string_view>& words) {
    Options options;
    for (auto word = words.begin(); word != words.end(); ++word) {
        if (const auto part = std::ranges::find(parts, *word, &Part::name); part != parts.end()) {
            options.parts.push_back(*part);
            continue;
        }
        const std::string_view option = *word;
        const bool known = option == "--rounds" || option == "--most" || option == "--json";
        if (!known || ++word == words.end()) {
            throw std::invalid_argument(fmt::format("{}: {}", option, usage));
        }
        if (option == "--json") {
            options.json = *word;
        } else {
            (option == "--rounds" ? options.extent.rounds : options.extent.most) = number(option, *word);
        }
    }
    if (options.parts.empty()) {
        options.parts.assign(parts.begin(), parts.end());
    }
    return options;
}

std::string this_machine() {
    std::array<char, 11> date{};
    const std::time_t today = std::time(nullptr);
    std::strftime(date.data(), date.size(), "%F", std::gmtime(&today));
    utsname system = {};
    ::uname(&system);
    std::string model;
    std::ifstream cpuinfo("/proc/cpuinfo");
    for (std::string line; model.empty() && std::getline(cpuinfo, line);) {
        if (line.starts_with("model name")) { // x86 alone says it
            model = line.substr(line.find(':') + 2);
        }
    }
    return fmt::format("finally-run {} on {}, Linux {}, {} processors {} {}", text::version, date.data(),
                       system.release, std::thread::hardware_concurrency(), system.machine, model);
}

int work(const Options& options, const std::filesystem::path& directory) {
    try {
        const auto start = std::chrono::steady_clock::now();
        Report report(this_machine());
        for (const Part& part : options.parts) {
            std::filesystem::create_directory(directory / part.name);
            part.run(Place(directory / part.name), options.extent, report);
        }
        report.print_goals();
        const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - start;
        fmt::print("\nmeasured in {:.0f} s\n", whole.count());
        if (!options.json.empty() && !(std::ofstream(options.json) << report.to_json()).flush()) {
            throw std::runtime_error(options.json + ": cannot be written");
        }
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench: {}\n", error.what());
        return EXIT_FAILURE;
    }
}

} // namespace

} // namespace finally_run::bench

int main(int argc, char** argv) {
    using namespace finally_run::bench;
    try {
        const Options options = parse({argv + 1, argv + argc});
        return keep([&](const std::filesystem::path& directory) { return work(options, directory); });
    } catch (const std::invalid_argument& error) {
        fmt::print(stderr, "bench: {}\n", error.what());
        return wrong_usage;
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench: {}\n", error.what());
        return EXIT_FAILURE;
    }
}
