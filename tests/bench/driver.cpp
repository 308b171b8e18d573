#include "driver.hpp"

#include "os/error.hpp"

#include <stdexcept>
#include <unistd.h>

namespace finally_run::bench {

namespace {

void append(std::string& bytes, const Words& words) {
    for (const std::string& word : words) {
        bytes.append(word).push_back('\0');
    }
}

} // namespace

void Series::add(const Sample& sample) {
    milliseconds.push_back(static_cast<double>(sample.nanoseconds) / 1e6);
    cpu.push_back(static_cast<double>(sample.cpu_microseconds) / 1e3);
    peak.push_back(static_cast<double>(sample.peak_kib));
    faults.push_back(static_cast<double>(sample.faults));
}

Driver::Driver(int error)
    : m_requests(make_pipe()), m_answers(make_pipe()),
      m_child({BENCH_DRIVER}, {}, {m_requests.read.get(), m_answers.write.get(), error}) {
    m_answers.write.reset(); // so that its end is seen
}

Sample Driver::start(const Words& words, const Words& environment) const {
    std::string bytes(sizeof(Request), '\0');
    append(bytes, words);
    append(bytes, environment);
    const Request request{static_cast<std::uint32_t>(bytes.size() - sizeof(Request)),
                          static_cast<std::uint32_t>(words.size()), static_cast<std::uint32_t>(environment.size())};
    bytes.replace(0, sizeof request, reinterpret_cast<const char*>(&request), sizeof request);
    Sample sample;
    if (::write(m_requests.write.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        ::read(m_answers.read.get(), &sample, sizeof sample) != sizeof sample) {
        os::throw_errno("driver");
    }
    if (sample.status != 0) {
        throw std::runtime_error(words.front() + ": wait status " + std::to_string(sample.status));
    }
    return sample;
}

} // namespace finally_run::bench
