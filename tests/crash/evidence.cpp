// Reading what a run has left.
#include "evidence.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace finally_run::crash {

namespace fs = std::filesystem;

namespace {

bool is_held(const fs::path& file) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return false; // it was never made
    }
    const bool held = ::flock(fd, LOCK_EX | LOCK_NB) < 0;
    ::close(fd);
    return held;
}

} // namespace

bool lock_is_held(const fs::path& directory) {
    return is_held(directory / "state" / "L") || is_held(directory / "engine");
}

namespace {

// A record of a cleanup that has failed, as the journal has it.
bool has_failure(const fs::path& journal) {
    std::ostringstream text;
    text << std::ifstream(journal, std::ios::binary).rdbuf();
    return text.str().find(" failed ") != std::string::npos;
}

} // namespace

void look_around(const fs::path& directory, const Promise& promise, Seen& seen) {
    seen.left_lock = seen.left_lock || lock_is_held(directory);
    std::ifstream log(directory / "log");
    for (std::string line; std::getline(log, line);) {
        seen.log.push_back(line);
    }
    std::ostringstream err;
    err << std::ifstream(directory / "err", std::ios::binary).rdbuf();
    seen.err = err.str();
    bool left_of_runs = false;
    for (const auto& entry : fs::recursive_directory_iterator(directory / "state")) {
        const fs::path& path = entry.path();
        const std::string name = path.filename();
        const std::string place = path.parent_path().filename();
        const bool of_runs = path.native().find("/.runs/") != std::string::npos;
        const bool tells_of_end = place == ".ended" && path.extension() == ".journal";
        seen.end_told = seen.end_told || tells_of_end;
        seen.failure_kept = seen.failure_kept || (of_runs && path.extension() == ".journal" && has_failure(path));
        left_of_runs = left_of_runs || of_runs;
        const bool is_lock = name == "L" || name.find(':') != name.npos;
        seen.left_file =
            seen.left_file || (!tells_of_end && !of_runs && !is_lock && name != ".runs" && name != ".ended");
    }
    // With its journal stay the log of a failed run and the tags that it is found by.
    seen.left_file = seen.left_file || (left_of_runs && !seen.failure_kept);
    seen.left_mark = fs::exists(directory / "unclean");
    seen.left_temp_dir = !fs::is_empty(directory / "tmp");
    seen.left_tree = std::any_of(promise.removed.begin(), promise.removed.end(),
                                 [&](const std::string& file) { return fs::exists(directory / file); });
}

std::string to_text(const Seen& seen) {
    std::ostringstream text;
    text << "    status:";
    for (const auto& status : {seen.status, seen.finisher_status}) {
        if (status) {
            text << (WIFSIGNALED(*status) ? " signal " : " exit ")
                 << (WIFSIGNALED(*status) ? WTERMSIG(*status) : WEXITSTATUS(*status));
        }
    }
    text << (seen.left_mark ? "\n    left: the mark at the engine" : "") << "\n    log:";
    for (const std::string& line : seen.log) {
        text << ' ' << line << ';';
    }
    text << "\n    stderr: " << seen.err;
    return text.str();
}

} // namespace finally_run::crash
