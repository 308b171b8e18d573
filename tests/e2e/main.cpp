// Runs the end-to-end tests.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <sys/prctl.h>

#include <csignal>

int main(int argc, char** argv) {
    // What a case leaves behind becomes our child: it can be seen, killed and reaped.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    ::signal(SIGPIPE, SIG_IGN);
    // For reaping.cpp; a program that is started gets an empty mask.
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child, nullptr);
    return doctest::Context(argc, argv).run();
}
