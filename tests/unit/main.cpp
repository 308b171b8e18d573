// Runs the unit tests.
#define DOCTEST_CONFIG_IMPLEMENT
#include "main_args.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

finally_run::os::MainArgs finally_run::test::main_args{};

int main(int argc, char* argv[]) {
    finally_run::test::main_args = {argv, environ};
    return doctest::Context(argc, argv).run();
}
