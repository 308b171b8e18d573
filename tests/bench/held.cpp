#include "held.hpp"

#include <stdexcept>
#include <unistd.h>

namespace finally_run::bench {

namespace {

Words with_helper(Words words, const Words& arguments) {
    words.insert(words.end(), {BENCH_HELPER, "hold"});
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
}

// Lines up to an empty one.
Words read_lines(int fd) {
    Words lines(1);
    for (char byte = 0; ::read(fd, &byte, 1) == 1;) {
        if (byte != '\n') {
            lines.back() += byte;
        } else if (!lines.back().empty()) {
            lines.emplace_back();
        } else {
            lines.pop_back();
            return lines;
        }
    }
    throw std::runtime_error("a command did not begin");
}

} // namespace

Held::Held(const Words& wrapper, const Words& environment, int error, const Words& arguments)
    : m_hold(make_pipe()), m_begun(make_pipe()),
      m_child(with_helper(wrapper, arguments), environment, {m_hold.read.get(), m_begun.write.get(), error}) {
    m_hold.read.reset();
    m_begun.write.reset();
    m_variables = read_lines(m_begun.read.get());
}

void Held::wait() {
    let_go();
    m_child.wait();
}

} // namespace finally_run::bench
