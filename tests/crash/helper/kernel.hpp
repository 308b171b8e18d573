// System calls without a C library: its start would cost more than all else that a helper does, and each trial starts
// several of them.
#pragma once

#include <sys/syscall.h>

namespace finally_run::crash {

// What the kernel answers: -errno if it fails.
#if defined(__x86_64__)

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    long result = number;
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return result;
}

// The kernel leaves argc, then the words, where the stack pointer points to.
__asm__(".globl _start\n"
        "_start:\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call begin\n");

#elif defined(__aarch64__)

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    register long name __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(first) : "r"(name), "r"(second), "r"(third), "r"(fourth), "r"(fifth) : "memory");
    return first;
}

__asm__(".globl _start\n"
        "_start:\n"
        "  mov x0, sp\n"
        "  bl begin\n");

#else
#error "how a system call is made, is not known here"
#endif

template <class Pointer> long address(Pointer* pointer) { return reinterpret_cast<long>(pointer); }

} // namespace finally_run::crash
