// A state directory with the journal of one run.
#pragma once

#include "journal/file.hpp"
#include "samples.hpp"
#include "support/temp_dir.hpp"

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

namespace finally_run::journal {

struct Scene {
    test::TempDir dir;
    Runs runs{dir / "state"};

    [[nodiscard]] static Opened opened() {
        Opened opened = plain_opened();
        opened.run_id = "20260101T000000-00000001";
        return opened;
    }
    [[nodiscard]] std::filesystem::path path() const { return runs.journal_of(opened().run_id); }
    [[nodiscard]] File create(bool durable = false) const { return File::create(runs, opened(), durable); }
    [[nodiscard]] File published() const {
        File file = create();
        file.publish();
        return file;
    }
    [[nodiscard]] std::size_t names() const {
        const std::filesystem::directory_iterator begin(dir.path() / "state/.runs");
        return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
    }
};

inline Record finished(std::uint64_t id) { return CleanupEnded{id, std::string(id % 90, 'x')}; }

// The ids of all CleanupEnded.
inline std::vector<std::uint64_t> finished_in(const std::vector<Entry>& entries) {
    std::vector<std::uint64_t> ids;
    for (const Entry& entry : entries) {
        if (const auto* const one = std::get_if<CleanupEnded>(&entry.record)) {
            ids.push_back(one->cleanup);
        }
    }
    return ids;
}

} // namespace finally_run::journal
