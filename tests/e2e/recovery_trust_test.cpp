// Which journals recovery believes, and which processes it touches.
#include "guard.hpp"
#include "support/needs.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

namespace finally_run::e2e {
namespace {

Unfinished left(std::vector<std::string> args = {"-l", "l"}) {
    args.insert(args.end(), {"-c", "echo last >>log", "-c", "echo first >>log", "--", "helper", "pause"});
    return leave_unfinished(Run(std::move(args)));
}

// Refused by --recover with this reason, by the next holder of the lock with a message, and never executed.
void check_refused(const Unfinished& run, std::string_view reason) {
    for (const auto& words : {std::vector<std::string>{"--recover"}, {"--recover", run.id}}) {
        const auto outcome = Run(words).run();
        CHECK(outcome.status == 125);
        CHECK(lines(outcome.err).size() == 1);
        CHECK(outcome.err.find("finally-run: run " + run.id + " cannot be recovered: ") == 0);
        CHECK_MESSAGE(outcome.err.find(reason) != std::string::npos, outcome.err);
    }
    const auto next = Run({"-l", "l", "--", "true"}).run();
    CHECK(next.status == 0);
    CHECK(next.err.find(run.id) != std::string::npos);
    CHECK(next.err.find(reason) != std::string::npos);
    CHECK(log_text().empty());
    CHECK(run_files().size() == 1);
}

TEST_CASE("a journal with a changed byte is damaged: nothing of it is executed, and forget drops it") {
    const auto run = left();
    std::string text = read_file(run.journal);
    text.at(text.find("echo\\x20first") + 2) ^= 1;
    write_file(run.journal, text, 0600);
    check_refused(run, "damaged at byte");
    const auto outcome = Run({"--forget", run.id}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.find(run.id) != std::string::npos);
    CHECK(run_files().empty());
}

TEST_CASE("a journal is damaged whichever byte before its last record is changed") {
    const auto run = left({});
    const std::string text = read_file(run.journal);
    const std::size_t last = text.rfind('\x1e');
    for (std::size_t at = 0; at < last; at += 37) {
        std::string changed = text;
        changed.at(at) ^= 0x10;
        write_file(run.journal, changed, 0600);
        CHECK(Run({"--recover"}).run().status == 125);
    }
    CHECK(log_text().empty());
    write_file(run.journal, text, 0600);
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "first\nlast\n");
}

TEST_CASE("a last record that is torn is ignored, wherever it was cut") {
    const auto run = left({});
    const std::string text = read_file(run.journal);
    const std::string torn = journal::encode(journal::Registered{{plan::Cleanup::Kind::command, "echo torn >>log"}});
    for (std::size_t size = 1; size < torn.size(); size += 7) {
        write_file(run.journal, text + torn.substr(0, size), 0600);
        CHECK(Run({"--recover"}).run().status == 0);
        CHECK(log_text() == "first\nlast\n");
        CHECK(run_files().empty());
        fs::remove(work("log"));
    }
}

TEST_CASE("where the record that a step begins is torn the step has begun") {
    auto killed = Run({"-l", "L", "-c", "echo C >>log", "--", "sh", "-c",
                       "truncate -s -1 $FINALLY_RUN_JOURNAL; kill -9 $PPID; exec helper pause"})
                      .start();
    static_cast<void>(killed.finish());
    wait_until("the guardian has cleaned up", [] { return log_text() == "C\n"; });
    wait_until("nothing is left", [] { return run_files().empty() && leftovers().empty(); });
    fs::remove(work("log"));

    const auto left = leave_unfinished(Run({"-c", "echo C >>log", "--", "helper", "pause"}));
    const fs::path journal = only_run_file();
    fs::resize_file(journal, fs::file_size(journal) - 1);
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "C\n");
    CHECK(run_files().empty());
    wait_until("the command is ended", [] { return leftovers().empty(); });
}

TEST_CASE("a torn record with others behind it is ignored, and the others are not") {
    const auto run = left({});
    const std::string torn = journal::encode(journal::Registered{{plan::Cleanup::Kind::command, "echo torn >>log"}});
    const std::string whole = journal::encode(journal::Registered{{plan::Cleanup::Kind::command, "echo whole >>log"}});
    write_file(run.journal, read_file(run.journal) + torn.substr(0, torn.size() / 2) + whole, 0600);
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "whole\nfirst\nlast\n");
}

TEST_CASE("of a journal that was cut short only what is left is executed") {
    const auto run = left({});
    const std::string text = read_file(run.journal);
    const std::size_t first_record = text.find('\n', text.find(" opened ")) + 1;
    for (std::size_t size = text.size(); size >= first_record; size -= std::min<std::size_t>(size, 41)) {
        write_file(run.journal, text.substr(0, size), 0600);
        const auto outcome = Run({"--recover"}).run();
        CHECK(outcome.status == 0);
        const bool well = log_text().empty() || log_text() == "first\nlast\n" || log_text() == "last\n";
        CHECK_MESSAGE(well, log_text());
        fs::remove(work("log"));
    }
}

TEST_CASE("a journal whose first record is not whole is damaged, as one that a power loss has emptied") {
    const auto run = left();
    const std::string text = read_file(run.journal);
    for (const std::string& rest : {std::string(), std::string(3000, '\0'), text.substr(0, 40)}) {
        write_file(run.journal, rest, 0600);
        const auto status = Run({"--status"}).run();
        CHECK(status.out.find("damaged") != std::string::npos);
        CHECK(status.out.find("its first record is missing\n") != std::string::npos);
        check_refused(run, "its first record is missing");
        fs::rename(only_run_file(), run.journal); // as if nobody had been told of it
    }
    CHECK(Run({"--forget", run.id}).run().status == 0);
    CHECK(run_files().empty());
}

TEST_CASE("a journal of a newer format is left to a newer finally-run") {
    const auto run = left();
    edit_journal(run.journal, [](journal::Record& record) {
        if (auto* const opened = std::get_if<journal::Opened>(&record))
            ++opened->version;
    });
    check_refused(run, "newer finally-run");
}

TEST_CASE("a journal that is a symbolic link, that others may read, or that is no file is not believed") {
    const auto link = left();
    fs::rename(link.journal, work("moved"));
    fs::create_symlink(work("moved"), link.journal);
    check_refused(link, "symbolic link");
    fs::remove(work("moved"));
    Run({"--forget", link.id}).run();
    const auto open = left();
    ::chmod(open.journal.c_str(), 0644);
    check_refused(open, "must have mode 0600");
    Run({"--forget", open.id}).run();
    const auto directory = left();
    fs::remove(directory.journal);
    make_fifo(directory.journal);
    check_refused(directory, "not a regular file");
}

TEST_CASE("what has the name of a journal and is a directory is forgotten if it is empty") {
    const auto run = left();
    fs::remove(run.journal);
    fs::create_directories(run.journal / "of somebody");
    const auto refused = Run({"--forget", run.id}).run();
    CHECK(refused.status == 125);
    CHECK(refused.err.find(run.journal.native() + ": Directory not empty\n") != std::string::npos);
    fs::remove(run.journal / "of somebody");
    CHECK(Run({"--forget", run.id}).run().status == 0);
    CHECK_FALSE(fs::exists(run.journal));
}

TEST_CASE("a journal of another user is not believed") {
    if (!test::needs(::geteuid() == 0, "the right to give files away"))
        return;
    const auto run = left();
    CHECK(::chown(run.journal.c_str(), 12345, 12345) == 0);
    check_refused(run, "another user");
}

TEST_CASE("journals in a directory that others may look into are not believed, and no run begins there") {
    const auto run = left();
    for (const fs::path& directory : {runs_dir(), state_dir()}) {
        ::chmod(directory.c_str(), 0755);
        for (const auto& words : {std::vector<std::string>{"--recover"}, {"-l", "l", "--", "touch", "ran"}}) {
            const auto outcome = Run(words).run();
            CHECK(outcome.status == 125);
            CHECK(lines(outcome.err).size() == 1);
            CHECK(outcome.err.find("must have mode 0700") != std::string::npos);
        }
        ::chmod(directory.c_str(), 0700);
    }
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK(log_text().empty());
    CHECK(Run({"--recover"}).run().status == 0);
}

} // namespace
} // namespace finally_run::e2e
