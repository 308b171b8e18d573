#include "report/service_output.hpp"

#include "os/error.hpp"
#include "os/write_all.hpp"
#include "text/visible.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <fcntl.h>
#include <fmt/core.h>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace finally_run::report {

namespace {

constexpr std::chrono::seconds service_patience(1);
constexpr std::size_t longest_name = 40;
constexpr std::size_t longest_piece = 3072; // of a line; with its mark it fits one atomic write to a pipe
constexpr std::size_t memory_size = std::size_t(1) << 20;
constexpr std::size_t most_last_bytes = 4096;
constexpr int most_last_lines = 10;
constexpr std::array<int, 5> colours{36, 33, 32, 35, 34};

void make_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

} // namespace

// The counters only grow: of bytes since the beginning, of which the last ones are there. Pages that nobody touches
// cost nothing.
struct ServiceOutput::Memory {
    std::atomic<std::uint64_t> stop; // 0: not started; no cleanup is at the beginning of a journal
    std::atomic<std::uint64_t> written;
    std::atomic<std::uint64_t> shown;
    std::array<char, memory_size> bytes;

    // Whether what is to be shown next is the end of a line of which all pieces have been shown.
    [[nodiscard]] bool is_at_end_of_piece() const {
        const auto at = [this](std::uint64_t offset) { return bytes.at(offset % memory_size); };
        return shown > 0 && shown < written && at(shown) == '\n' && at(shown - 1) != '\n';
    }
    [[nodiscard]] std::uint64_t first() const { return written > memory_size ? written - memory_size : 0; }
    [[nodiscard]] std::string from(std::uint64_t offset) const {
        std::string text;
        offset = std::max(offset, first());
        text.reserve(written - offset);
        while (offset < written) {
            const std::size_t at = offset % memory_size;
            const std::size_t count = std::min<std::uint64_t>(written - offset, memory_size - at);
            text.append(bytes.data() + at, count);
            offset += count;
        }
        return text;
    }
};

std::string service_name(std::string_view cmd) {
    constexpr std::string_view blanks = " \t\n";
    std::string_view word;
    // The value of a variable may be a secret.
    do {
        cmd.remove_prefix(std::min(cmd.find_first_not_of(blanks), cmd.size()));
        word = cmd.substr(0, cmd.find_first_of(blanks));
        cmd.remove_prefix(word.size());
    } while (word == "exec" || word.find('=') < word.find('/'));
    const auto slash = word.find_last_of('/');
    const std::string_view name = slash == word.npos || slash + 1 == word.size() ? word : word.substr(slash + 1);
    return name.empty() ? "service" : text::visible(std::string(name), longest_name);
}

ServiceOutput::ServiceOutput(const std::vector<std::string>& cmds, When when, cleanup::Output& output, bool colour)
    : m_when(when), m_output(output), m_colour(colour) {
    const std::size_t size = cmds.size() * sizeof(Memory);
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        os::throw_errno("cannot make room for the output of services");
    }
    m_shared = {static_cast<std::byte*>(memory), size};
    std::vector<std::string> names;
    for (const std::string& cmd : cmds) {
        const std::string name = service_name(cmd);
        const auto same = std::ranges::count(names, name);
        names.push_back(name);
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
            os::throw_errno("cannot make a pipe for the output of a service");
        }
        os::Fd reader(ends[0]);
        os::Fd writer = os::moved_high(os::Fd(ends[1]));
        reader = os::moved_high(std::move(reader));
        make_nonblocking(reader.get());
        auto* const at = reinterpret_cast<Memory*>(m_shared.data() + m_services.size() * sizeof(Memory));
        m_services.push_back(
            {same > 0 ? fmt::format("{}-{}", name, same + 1) : name, std::move(reader), std::move(writer), at});
    }
}

ServiceOutput::~ServiceOutput() { ::munmap(m_shared.data(), m_shared.size()); }

int ServiceOutput::writer() const { return m_services.at(m_started).writer.get(); }

void ServiceOutput::started(std::uint64_t stop) {
    m_services.at(m_started).memory->stop = stop;
    not_started();
}

void ServiceOutput::not_started() { m_services.at(m_started++).writer.reset(); }

std::vector<int> ServiceOutput::readers() const {
    std::vector<int> fds;
    for (const Service& service : m_services) {
        fds.push_back(service.reader.get());
    }
    return fds;
}

// Whoever does not read stderr makes the services wait, as if they wrote to it themselves; not us.
void ServiceOutput::add_to(std::vector<pollfd>& fds) {
    pollfd room{STDERR_FILENO, POLLOUT, 0};
    const bool waits = std::ranges::any_of(m_services, &Service::waits);
    if (m_when == When::as_it_comes && (waits || ::poll(&room, 1, 0) == 0)) {
        fds.push_back(room);
        return;
    }
    for (const Service& service : m_services) {
        fds.push_back({service.reader.get(), POLLIN, 0});
    }
}

void ServiceOutput::work(std::span<const pollfd> fds) {
    for (Service& service : m_services) {
        if (service.waits) {
            show(service);
        }
    }
    for (const pollfd& fd : fds) {
        const auto service =
            std::ranges::find_if(m_services, [&](const Service& it) { return it.reader && it.reader.get() == fd.fd; });
        if (fd.revents != 0 && service != m_services.end()) {
            read_from(*service);
        }
    }
}

bool ServiceOutput::read_from(Service& service) {
    if (!service.reader) {
        return false;
    }
    Memory& memory = *service.memory;
    const std::size_t at = memory.written % memory_size;
    const std::size_t room = std::min<std::size_t>(PIPE_BUF, memory_size - at);
    const ssize_t got = ::read(service.reader.get(), memory.bytes.data() + at, room);
    if (got < 0) {
        return errno == EINTR;
    }
    memory.written += static_cast<std::uint64_t>(got);
    if (got == 0) {
        service.reader.reset(); // nobody is left who could write
    }
    if (m_when == When::as_it_comes) {
        show(service);
    }
    return got > 0;
}

// Not for ever: something that left the session may go on writing.
void ServiceOutput::read_all_from(Service& service) {
    for (std::size_t count = 0; count < memory_size / PIPE_BUF && read_from(service); ++count) {
    }
}

void ServiceOutput::show(Service& service, bool at_end) {
    Memory& memory = *service.memory;
    if (memory.is_at_end_of_piece()) { // it has an end already
        ++memory.shown;
    }
    const std::string text = memory.from(memory.shown);
    const auto last = text.rfind('\n');
    std::size_t end = last == text.npos ? 0 : last + 1;
    end += (text.size() - end) / longest_piece * longest_piece;
    if (at_end || !service.reader) {
        end = text.size();
    }
    const std::size_t done = write(std::string_view(text).substr(0, end), service.mark, at_end);
    memory.shown = memory.written - (text.size() - done);
    service.waits = done < end;
}

std::string ServiceOutput::show_rest(Service& service) {
    show(service, true);
    if (!std::exchange(service.waits, false)) {
        return {};
    }
    const std::uint64_t left = service.memory->written - service.memory->shown;
    service.memory->shown = service.memory->written.load();
    return fmt::format("{} | ({} bytes after this are left out)\n", service.mark, left);
}

namespace {

// Calls `each` with every line, without its end, and where in the text that is; a long one in pieces.
template <class Each> void for_each_line(std::string_view text, Each each) {
    for (std::size_t at = 0; at < text.size();) {
        const auto line = text.substr(at, text.find('\n', at) - at);
        const auto piece = line.substr(0, longest_piece);
        at += piece.size() + (piece.size() == line.size() && at + line.size() < text.size() ? 1 : 0);
        each(piece, at);
    }
}

bool has_room(int fd) {
    pollfd room{fd, POLLOUT, 0};
    return ::poll(&room, 1, 0) != 0;
}

} // namespace

std::size_t ServiceOutput::write(std::string_view text, const std::string& mark, bool at_end) {
    if (text.empty()) {
        return 0;
    }
    const int out = m_output.writable();
    const auto index =
        static_cast<std::size_t>(std::ranges::find(m_services, mark, &Service::mark) - m_services.begin());
    const std::string begin = m_colour && out == STDERR_FILENO
                                  ? fmt::format("\x1b[{}m{} | \x1b[0m", colours.at(index % colours.size()), mark)
                                  : mark + " | ";
    std::string batch; // at most what fits a pipe that has room at all
    std::size_t done = 0;
    std::size_t with_batch = 0;
    bool full = false;
    const auto flush = [&] {
        full = full || (!at_end && !has_room(out)) ||
               os::write_all(out, batch, m_stuck ? std::chrono::seconds(0) : service_patience) == ETIMEDOUT;
        done = full ? done : with_batch;
        batch.clear();
    };
    for_each_line(text, [&](std::string_view line, std::size_t end) {
        if (!batch.empty() && batch.size() + begin.size() + line.size() + 1 > PIPE_BUF) {
            flush();
        }
        batch.append(begin).append(line) += '\n';
        with_batch = end;
    });
    flush();
    m_stuck = full && at_end;
    return done;
}

std::string ServiceOutput::marked(const Service& service, std::uint64_t from) const {
    std::string result;
    for_each_line(service.memory->from(from), [&](std::string_view line, std::size_t) {
        result.append(service.mark).append(" | ").append(line) += '\n';
    });
    return result;
}

ServiceOutput::Service* ServiceOutput::find(std::uint64_t stop) {
    const auto at =
        std::ranges::find_if(m_services, [&](const Service& service) { return service.memory->stop == stop; });
    return at != m_services.end() ? &*at : nullptr;
}

std::string ServiceOutput::end(std::uint64_t stop) {
    Service* const service = find(stop);
    if (service == nullptr) {
        return {};
    }
    read_all_from(*service);
    if (m_when == When::as_it_comes) {
        return show_rest(*service);
    }
    const std::uint64_t left_out = service->memory->first();
    const std::string head =
        left_out > 0 ? fmt::format("{} | ({} bytes before this are left out)\n", service->mark, left_out) : "";
    return head + marked(*service, 0);
}

std::string ServiceOutput::last_lines(std::uint64_t stop) {
    Service* const service = find(stop);
    if (service == nullptr) {
        return {};
    }
    read_all_from(*service);
    if (m_when == When::as_it_comes) {
        return show_rest(*service);
    }
    const Memory& memory = *service->memory;
    std::string text = memory.from(memory.written > most_last_bytes ? memory.written - most_last_bytes : 0);
    std::size_t begin = text.size();
    for (int lines = 0; lines < most_last_lines && begin > 0; ++lines) {
        const auto before = begin > 1 ? text.rfind('\n', begin - 2) : text.npos;
        begin = before == text.npos ? 0 : before + 1;
    }
    return marked(*service, memory.written - (text.size() - begin));
}

} // namespace finally_run::report
