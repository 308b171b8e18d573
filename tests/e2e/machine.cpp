// Mounts what says which machine and which boot it is.
#include "machine.hpp"

namespace finally_run::e2e {

Run run_on(const Machine& machine, const std::vector<std::string>& args) {
    const auto named = [&](std::string_view kind, const std::string& value) {
        const fs::path path = case_dir() / (std::string(kind) + (value.empty() ? "-none" : "-" + value));
        write_file(path, value.empty() ? "" : value + "\n");
        return path.string();
    };
    std::vector<std::string> words{"sh",
                                   "-c",
                                   "mount --bind \"$1\" /etc/machine-id && "
                                   "mount --bind \"$2\" /proc/sys/kernel/random/boot_id && "
                                   "echo \"$3\" >/proc/sys/kernel/hostname && shift 3 && exec finally-run \"$@\"",
                                   "sh",
                                   named("machine", machine.id),
                                   named("boot", machine.boot),
                                   machine.name};
    words.insert(words.end(), args.begin(), args.end());
    return Run::of(unshare({"-m", "-u"}, words));
}

} // namespace finally_run::e2e
