// The words and the environment that main of the tests got, where the kernel has put them.
#pragma once

namespace finally_run::test {

struct MainWords {
    char** argv;
    char** envp;
};

extern MainWords main_words;

} // namespace finally_run::test
