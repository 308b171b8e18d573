// What the services write: each line whole and marked with the name of its service.
#pragma once

#include "cleanup/output.hpp"
#include "os/events.hpp"
#include "os/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::report {

// The first word of its CMD that is no assignment and not exec, without a directory.
[[nodiscard]] std::string service_name(std::string_view cmd);

// A pipe for each service, and the memory of what came through it. Both are shared with whoever is forked after this
// was made, so that a guardian goes on where its supervisor was: no service waits for a reader or dies of its loss.
class ServiceOutput : public os::Beside {
public:
    enum class When { as_it_comes, at_its_end };

    // In the order in which they are started. `output` is borrowed. Throws std::system_error.
    ServiceOutput(const std::vector<std::string>& cmds, When when, cleanup::Output& output, bool colour);
    ServiceOutput(const ServiceOutput&) = delete;
    ServiceOutput& operator=(const ServiceOutput&) = delete;
    ~ServiceOutput() override;

    // For the stdout and stderr of the next service. It has been started, and will be stopped by the cleanup with this
    // id; or else it has not.
    [[nodiscard]] int writer() const;
    void started(std::uint64_t stop);
    void not_started();

    // What a successor needs.
    [[nodiscard]] std::vector<int> readers() const;

    void add_to(std::vector<pollfd>& fds) override;
    void work(std::span<const pollfd> fds) override;

    // The service with this stop is over: shows what is still to come as it comes, or returns all of it, marked.
    [[nodiscard]] std::string end(std::uint64_t stop);
    // What it wrote last, unless that has been shown: some lines, marked.
    [[nodiscard]] std::string last_lines(std::uint64_t stop);

private:
    struct Memory;
    struct Service {
        std::string mark;
        os::Fd reader;
        os::Fd writer;
        Memory* memory;
        bool waits = false; // for the reader of stderr, with something to be shown
    };

    [[nodiscard]] Service* find(std::uint64_t stop);
    // Whether there may be more.
    bool read_from(Service& service);
    void read_all_from(Service& service);
    // Whole lines, as far as there is room for them at once; at the end all, for which we wait a moment.
    void show(Service& service, bool at_end = false);
    // How many bytes of it are written.
    std::size_t write(std::string_view text, const std::string& mark, bool at_end);
    // Shows the rest; what nobody took is told by what is returned.
    [[nodiscard]] std::string show_rest(Service& service);
    [[nodiscard]] std::string marked(const Service& service, std::uint64_t from) const;

    When m_when;
    cleanup::Output& m_output;
    bool m_colour;
    bool m_stuck = false; // the reader of stderr takes nothing
    std::size_t m_started = 0;
    std::span<std::byte> m_shared;
    std::vector<Service> m_services;
};

} // namespace finally_run::report
