// The folders of src/ are the architecture: nothing includes what it should not know.
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::test {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

namespace {

// The folder that a path below src/ belongs to; what lies in src/ itself is "main".
std::string folder_of(std::string_view path) {
    const auto slash = path.find('/');
    return slash == std::string_view::npos ? "main" : std::string(path.substr(0, slash));
}

bool knows(const std::string& includer, const std::string& included) {
    static const std::map<std::string, std::set<std::string>> below{
        {"main", {"cli", "action", "os", "plan", "text"}},
        {"cli", {"plan", "os", "text"}},
        {"action", {"run", "rescue", "report", "cleanup", "engine", "lock", "journal", "os", "plan", "text"}},
        {"run", {"rescue", "report", "cleanup", "supervise", "engine", "lock", "journal", "os", "plan", "text"}},
        {"rescue", {"report", "cleanup", "supervise", "lock", "journal", "os", "plan", "text"}},
        {"report", {"cleanup", "supervise", "engine", "lock", "journal", "os", "plan", "text"}},
        {"cleanup", {"supervise", "journal", "os", "plan", "text"}},
        {"supervise", {"os", "plan", "text"}},
        {"engine", {"os", "plan", "text"}},
        {"lock", {"journal", "os", "plan", "text"}},
        {"journal", {"os", "plan", "text"}},
        {"os", {"plan", "text"}},
        {"plan", {"text"}},
        {"text", {}},
    };
    const auto known = below.find(includer);
    return known != below.end() && below.count(included) == 1 &&
           (includer == included || known->second.count(included) == 1);
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return text.starts_with(prefix); });
}

// May a file use this <header>? Those that are slow to compile have one place.
bool may_use(const std::string& path, std::string_view header) {
    if (header == "iostream" || header == "locale" || header == "regex") {
        return false;
    }
    if (starts_with_any(header, {"boost/process", "boost/asio"})) {
        return path == "os/spawn.cpp";
    }
    if (starts_with_any(header, {"CLI/"})) {
        return folder_of(path) == "cli" && path.ends_with(".cpp");
    }
    if (starts_with_any(header, {"nlohmann/"})) {
        return folder_of(path) == "report" && path.ends_with(".cpp");
    }
    if (starts_with_any(header, {"fmt/"})) {
        return header == "fmt/core.h" || path == "text/fmt.cpp";
    }
    return true;
}

struct Include {
    bool quoted;
    std::string name;
};

std::vector<Include> includes_in(const std::string& text) {
    std::vector<Include> includes;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::erase_if(line, [](char c) { return c == ' ' || c == '\t'; });
        constexpr std::string_view directive = "#include";
        if (!line.starts_with(directive) || line.size() <= directive.size()) {
            continue;
        }
        const char opening = line[directive.size()];
        const auto begin = directive.size() + 1;
        const auto end = line.find(opening == '<' ? '>' : '"', begin);
        includes.push_back({opening == '"', line.substr(begin, end - begin)});
    }
    return includes;
}

// "includer -> included" for each breach, sorted.
Names breaches_in(const fs::path& src) {
    Names breaches;
    std::map<std::string, std::set<std::string>> users; // of the third-party headers that only one file may use
    for (const auto& entry : fs::recursive_directory_iterator(src)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        const std::string path = entry.path().lexically_relative(src).generic_string();
        for (const auto& [quoted, name] : includes_in(read_file(entry.path().string()))) {
            if (quoted ? !knows(folder_of(path), folder_of(name)) || folder_of(name) == "main" : !may_use(path, name)) {
                breaches.push_back(path + " -> " + name);
            }
            if (!quoted && starts_with_any(name, {"CLI/", "nlohmann/"})) {
                users[folder_of(name)].insert(path);
            }
        }
    }
    for (const auto& [library, files] : users) {
        if (files.size() > 1) {
            breaches.push_back(*files.rbegin() + " -> " + library + "/ (already in " + *files.begin() + ")");
        }
    }
    std::sort(breaches.begin(), breaches.end());
    return breaches;
}

// What the checker says of one file in a tree of its own.
Names breaches_of(const std::string& path, const std::string& text) {
    const TempDir src;
    fs::create_directories((src.path() / path).parent_path());
    write_file(src / path, text);
    return breaches_in(src.path());
}

} // namespace

TEST_CASE("each folder of src includes only what lies below it") {
    const fs::path src = fs::path(FINALLY_RUN_SOURCE_DIR) / "src";
    REQUIRE(fs::is_regular_file(src / "plan" / "plan.hpp"));
    for (const auto& breach : breaches_in(src)) {
        FAIL_CHECK(breach);
    }
}

TEST_CASE("an include that points up is a breach") {
    CHECK(breaches_of("plan/plan.cpp", "#include \"os/fd.hpp\"\n") == Names{"plan/plan.cpp -> os/fd.hpp"});
    CHECK(breaches_of("os/fd.cpp", "#include \"run/steps.hpp\"\n").size() == 1);
    CHECK(breaches_of("run/steps.cpp", "  #  include \"cli/help.hpp\" // why\n").size() == 1);
    CHECK(breaches_of("main.cpp", "#include \"lock/lock.hpp\"\n").size() == 1);
}

TEST_CASE("an include of a neighbour is a breach") {
    CHECK(breaches_of("lock/lock.cpp", "#include \"report/messages.hpp\"\n").size() == 1);
    CHECK(breaches_of("supervise/policy.cpp", "#include \"cleanup/stack.hpp\"\n").size() == 1);
}

TEST_CASE("an include that is not written from src is a breach") {
    CHECK(breaches_of("lock/lock.cpp", "#include \"waiter.hpp\"\n").size() == 1);
    CHECK(breaches_of("lock/lock.cpp", "#include \"../os/fd.hpp\"\n").size() == 1);
}

TEST_CASE("a folder that the architecture does not have is a breach") {
    CHECK(breaches_of("util/string.cpp", "#include \"util/string.hpp\"\n").size() == 1);
    CHECK(breaches_of("run/steps.cpp", "#include \"util/string.hpp\"\n").size() == 1);
}

TEST_CASE("a slow third-party header outside its one place is a breach") {
    CHECK(breaches_of("run/steps.cpp", "#include <CLI/CLI.hpp>\n").size() == 1);
    CHECK(breaches_of("cli/parse.hpp", "#include <CLI/CLI.hpp>\n").size() == 1);
    CHECK(breaches_of("os/fd.cpp", "#include <boost/process/v2/pid.hpp>\n").size() == 1);
    CHECK(breaches_of("run/steps.cpp", "#include <nlohmann/json.hpp>\n").size() == 1);
    CHECK(breaches_of("report/json.cpp", "#include <fmt/format.h>\n").size() == 1);
}

TEST_CASE("a second user of a third-party header is a breach") {
    const TempDir src;
    fs::create_directory(src.path() / "cli");
    write_file(src / "cli/help.cpp", "#include <CLI/App.hpp>\n");
    CHECK(breaches_in(src.path()).empty());
    write_file(src / "cli/parse.cpp", "#include <CLI/CLI.hpp>\n");
    CHECK(breaches_in(src.path()) == Names{"cli/parse.cpp -> CLI/ (already in cli/help.cpp)"});
}

TEST_CASE("a header that makes every start slower is a breach") {
    for (const char* header : {"iostream", "locale", "regex"}) {
        CAPTURE(header);
        CHECK(breaches_of("report/output.cpp", "#include <" + std::string(header) + ">\n").size() == 1);
    }
}

TEST_CASE("includes that point down are no breach") {
    CHECK(breaches_of("main.cpp", "#include \"cli/parse.hpp\"\n#include \"action/run.hpp\"\n").empty());
    CHECK(breaches_of("run/steps.cpp", "#include \"run/steps.hpp\"\n#include \"lock/lock.hpp\"\n").empty());
    CHECK(breaches_of("os/spawn.cpp", "#include <boost/process/v2/pid.hpp>\n#include \"plan/plan.hpp\"\n").empty());
    CHECK(breaches_of("report/json.cpp", "#include <nlohmann/json.hpp>\n#include <fmt/core.h>\n").empty());
    CHECK(breaches_of("text/fmt.cpp", "#include <fmt/format-inl.h>\n").empty());
}

} // namespace finally_run::test
