// Runs the unit tests.
#define DOCTEST_CONFIG_IMPLEMENT
#include "main_words.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

finally_run::test::MainWords finally_run::test::main_words{};

int main(int argc, char* argv[]) {
    finally_run::test::main_words = {argv, environ};
    return doctest::Context(argc, argv).run();
}
