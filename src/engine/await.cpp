#include "engine/await.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace finally_run::engine {

std::variant<Had, NotHad, os::Interrupted> await(Keeper& keeper, const os::BootDeadline& deadline, os::Events& events,
                                                 const WhileWaiting& while_waiting) {
    const auto start = os::Clock::now();
    os::Deadline next_line = start + std::chrono::seconds(1);
    const os::Fd alarm = os::alarm_at(deadline);
    std::string holder;
    bool told_without_holder = false;
    while (!keeper.has_all()) {
        const os::Event event = events.wait(next_line, keeper.line(), alarm.get());
        if (std::holds_alternative<os::Readable>(event)) {
            const auto message = keeper.next();
            if (!message) {
                continue;
            }
            switch (message->what) {
            case Message::What::waiting:
                holder = message->text;
                if (std::exchange(told_without_holder, false)) {
                    next_line = os::Clock::now();
                }
                break;
            case Message::What::held:
                holder.clear();
                break;
            case Message::What::busy:
                return NotHad{true, keeper.name_of(message->lock),
                              holder.empty() ? message->text : "held by " + holder};
            case Message::What::failed:
            case Message::What::lost: // of one while the next is still awaited
                return NotHad{false, keeper.name_of(message->lock), message->text};
            case Message::What::unclean:
            case Message::What::begin:
            case Message::What::clean:
            case Message::What::release:
            case Message::What::released:
                break;
            }
            continue;
        }
        if (const auto interrupted = os::interrupted_by(event)) {
            return *interrupted;
        }
        if (std::holds_alternative<os::Signal>(event)) {
            continue;
        }
        const std::string& name = keeper.name_of(keeper.held().size());
        if (os::has_passed(deadline)) {
            return NotHad{true, name, holder.empty() ? "its engine has not answered in time" : "held by " + holder};
        }
        told_without_holder = holder.empty();
        next_line = os::deadline_after(while_waiting(name, holder, os::Clock::now() - start));
    }
    return Had{};
}

} // namespace finally_run::engine
