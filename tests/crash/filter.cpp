// A program for the kernel's packet filter. Who has it, hands it down to all that it starts; a call that it lets stop
// fails for want of a tracer there, which is why it looks from where the call is made.
#include "filter.hpp"

#include <elf.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cstddef>
#include <cstdint>
#include <fstream>

namespace finally_run::crash {

std::optional<Code> code_of(const std::string& program) {
    std::ifstream file(program, std::ios::binary);
    Elf64_Ehdr header{};
    if (!file.read(reinterpret_cast<char*>(&header), sizeof header) || header.e_type != ET_EXEC) {
        return std::nullopt;
    }
    for (unsigned number = 0; number < header.e_phnum; ++number) {
        Elf64_Phdr segment{};
        file.seekg(static_cast<std::streamoff>(header.e_phoff + number * sizeof segment));
        if (!file.read(reinterpret_cast<char*>(&segment), sizeof segment) || segment.p_type == PT_INTERP) {
            return std::nullopt;
        }
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 &&
            segment.p_vaddr + segment.p_memsz <= UINT32_MAX) {
            return Code{static_cast<unsigned>(segment.p_vaddr),
                        static_cast<unsigned>(segment.p_vaddr + segment.p_memsz)};
        }
    }
    return std::nullopt;
}

std::vector<sock_filter> filter_for(Code code, std::optional<long> call) {
    constexpr unsigned number = offsetof(seccomp_data, nr);
    constexpr unsigned low = offsetof(seccomp_data, instruction_pointer);
    constexpr unsigned high = low + 4;
    std::vector<sock_filter> filter;
    if (call) { // first, since the kernel need not ask again for a number that is always let through
        filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number));
        filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(*call), 0, 6));
    }
    filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, high));
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4));
    filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low));
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, code.begin, 0, 2));
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, code.end, 1, 0));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    return filter;
}

bool install(const std::vector<sock_filter>& filter) {
    const sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

} // namespace finally_run::crash
