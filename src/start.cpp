// What runs before main in place of glibc's __libc_start_main, so that it asks the processor nothing.
//
// glibc asks it 68 questions (the instruction CPUID) at each start, to choose among the variants of memcpy and the
// like. In a virtual machine the hypervisor answers each: docs/cost.md has what that costs. Nothing here moves enough
// bytes to gain by the choice; without it the variants are taken that every x86-64 has.
//
// The steps, their order, and the names that begin with an underscore are those of csu/libc-start.c and sysdeps/x86 in
// glibc 2.36, for a program that is linked statically and not position-independent. Left out of them, beside the
// processor: GLIBC_TUNABLES, which are for programs that are tuned; what a shared or position-independent program
// needs (its own relocation, the loader's destructor, the state for a debugger that follows dlopen(3)); and a place for
// pthread_exit(3) in the first thread to jump to, which does not call it. What is not glibc 2.36 starts as it does by
// itself: CMakeLists.txt, FINALLY_RUN_OWN_START.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <link.h>
#include <span>

#if !defined(__x86_64__) || !defined(__GLIBC__) || __GLIBC__ != 2 || __GLIBC_MINOR__ != 36
#error "the steps of another C library are not known here"
#endif

// NOLINTBEGIN(bugprone-reserved-identifier,performance-no-int-to-ptr,readability-identifier-naming)
extern "C" {

using Main = int (*)(int, char**, char**);
using Initialiser = void (*)(int, char**, char**);

extern char** __environ;
extern void* __libc_stack_end;
extern int __libc_enable_secure;         // setuid(2) and the like
extern const std::uintptr_t* _dl_random; // 16 bytes of the kernel's: getauxval(3), AT_RANDOM

// What the linker lays around them.
extern const ElfW(Rela) __rela_iplt_start[];
extern const ElfW(Rela) __rela_iplt_end[];
extern const Initialiser __preinit_array_start[];
extern const Initialiser __preinit_array_end[];
extern const Initialiser __init_array_start[];
extern const Initialiser __init_array_end[];

void _dl_aux_init(ElfW(auxv_t) * auxiliary_vector);
void __libc_setup_tls();
void __libc_early_init(bool initial);
void __libc_init_first(int argc, char** argv, char** environment);
void __libc_check_standard_fds();
void _init();

// How much memcpy and memset move in which way, in bytes. glibc computes these from the sizes of the caches; they
// matter from some KiB on, and these are what it begins with, or has for a cache of 1 MiB.
long __x86_data_cache_size = 32L * 1024;
long __x86_data_cache_size_half = 32L * 1024 / 2;
long __x86_shared_cache_size = 1024L * 1024;
long __x86_shared_cache_size_half = 1024L * 1024 / 2;
long __x86_shared_non_temporal_threshold = 1024L * 1024 * 3 / 4;
long __x86_rep_movsb_threshold = 2048;
long __x86_rep_movsb_stop_threshold = 1024L * 1024 * 3 / 4;
long __x86_rep_stosb_threshold = 2048;
int __x86_string_control = 0;

[[noreturn]] int __libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(),
                                   void (*end_of_loader)(), void* stack_end);
}

namespace {

void call(std::span<const Initialiser> initialisers, int argc, char** argv) {
    for (const Initialiser initialiser : initialisers) {
        initialiser(argc, argv, __environ);
    }
}

} // namespace

// No stack protector: its canary is set in the midst of it. What is to run at the end registers itself, atexit(3); in
// .fini_array is only what a shared library needs.
__attribute__((no_stack_protector)) int __libc_start_main(Main main, int argc, char** argv, void (*)(), void (*)(),
                                                          void (*)(), void* stack_end) {
    __environ = argv + argc + 1;
    __libc_stack_end = stack_end;
    char** end_of_environment = __environ;
    while (*end_of_environment != nullptr) {
        ++end_of_environment;
    }
    _dl_aux_init(reinterpret_cast<ElfW(auxv_t)*>(end_of_environment + 1));

    // Each function that has variants chooses one: by what is known of the processor, which is nothing.
    for (const auto* place = __rela_iplt_start; place != __rela_iplt_end; ++place) {
        const auto choose = reinterpret_cast<ElfW(Addr) (*)()>(place->r_addend);
        *reinterpret_cast<ElfW(Addr)*>(place->r_offset) = choose();
    }

    __libc_setup_tls();
    // The canary has a zero byte, at which a string ends; then what pointers in jmp_buf are mangled with. <tls.h>
    const std::uintptr_t canary = _dl_random[0] & ~static_cast<std::uintptr_t>(0xff);
    const std::uintptr_t pointer_guard = _dl_random[1];
    asm volatile("mov %0, %%fs:0x28" : : "r"(canary));
    asm volatile("mov %0, %%fs:0x30" : : "r"(pointer_guard));

    __libc_early_init(true);
    __libc_init_first(argc, argv, __environ);
    if (__libc_enable_secure != 0) {
        __libc_check_standard_fds();
    }
    call({__preinit_array_start, __preinit_array_end}, argc, argv);
    _init();
    call({__init_array_start, __init_array_end}, argc, argv);
    std::exit(main(argc, argv, __environ));
}
// NOLINTEND(bugprone-reserved-identifier,performance-no-int-to-ptr,readability-identifier-naming)
