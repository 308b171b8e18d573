// os/shell_words: which CMD needs no shell, and which relies on a variable.
#include "os/shell_words.hpp"

#include <doctest/doctest.h>

using finally_run::os::plain_words;
using finally_run::os::relies_on;
using Words = std::vector<std::string>;

TEST_SUITE("os/shell_words") {
    TEST_CASE("plain words need no shell") {
        CHECK(plain_words("docker compose down") == Words{"docker", "compose", "down"});
        CHECK(plain_words("  a\t b  ") == Words{"a", "b"});
        CHECK(plain_words("./stop.sh --now -f=x,y:z@1 +2 50% A=b") ==
              Words{"./stop.sh", "--now", "-f=x,y:z@1", "+2", "50%", "A=b"});
        CHECK(plain_words("/bin/echo cd if") == Words{"/bin/echo", "cd", "if"});
    }

    TEST_CASE("bytes that are not ASCII are plain") {
        CHECK(plain_words("löschen caf\xe9") == Words{"löschen", "caf\xe9"});
    }

    TEST_CASE("each character that is special to some shell wants the shell") {
        for (const char c : std::string("\n;&|<>()#!{}*?[]$`\\\"'~^\r\v\f\x01\x7f")) {
            CAPTURE(int(c));
            CHECK_FALSE(plain_words(std::string("program a") + c + "b").has_value());
            CHECK_FALSE(plain_words(std::string("program ") + c).has_value());
            CHECK_FALSE(plain_words(std::string(1, c) + "program").has_value());
        }
    }

    TEST_CASE("an embedded null wants the shell") {
        CHECK_FALSE(plain_words(std::string("program a\0b", 11)).has_value());
    }

    TEST_CASE("an assignment in front wants the shell") {
        CHECK_FALSE(plain_words("A=b").has_value());
        CHECK_FALSE(plain_words("A=b program").has_value());
        CHECK_FALSE(plain_words("A+=b program").has_value());
    }

    TEST_CASE("a builtin or a reserved word in front wants the shell") {
        for (const auto* cmd :
             {"cd /tmp", "exit 3", "echo hi", "true", ": x", ". ./env", "kill 1", "test -f x", "wait", "if x",
              "time make", "source x", "let x", "exec make", "  umask 022", "local x", "type x"}) {
            CAPTURE(cmd);
            CHECK_FALSE(plain_words(cmd).has_value());
        }
        CHECK(plain_words("truely exit").has_value());
    }

    TEST_CASE("no word at all is the shell's affair") {
        CHECK_FALSE(plain_words("").has_value());
        CHECK_FALSE(plain_words(" \t ").has_value());
    }

    TEST_CASE("a command relies on a variable in whose place a shell would put nothing") {
        for (const auto* cmd :
             {"curl $TOKEN", "$TOKEN", "a$TOKEN/b", "curl -H \"X-TOKEN: $TOKEN\" x", "echo ${TOKEN}", "echo ${TOKEN%x}",
              "echo ${#TOKEN}", "sh -c 'curl $TOKEN'", "echo ${MY_TOKEN-$TOKEN}", "echo ${TOKEN-x}; curl $TOKEN",
              "MY_TOKEN=x curl $TOKEN", "export TOKENS; curl $TOKEN", "./evaluate $TOKEN", "ls ./x $TOKEN."}) {
            CAPTURE(cmd);
            CHECK(relies_on(cmd, "TOKEN"));
        }
    }

    TEST_CASE("a command that has another answer or names the variable otherwise does not rely on it") {
        for (const auto* cmd :
             {"", "curl", "echo TOKENS $TOKENS $MY_TOKEN", "echo ${TOKEN-x}", "echo ${TOKEN:-x}", "echo ${TOKEN:?}",
              "echo ${TOKEN+x}", "echo ${TOKEN:=x} $TOKENS", "TOKEN=$(get); curl $TOKEN", "read TOKEN <f; curl $TOKEN",
              "curl $TOKEN; for TOKEN in a b", "sh -c 'TOKEN=x; curl $TOKEN'", ". ./env; curl $TOKEN",
              "eval $(get); curl $TOKEN", "source f && curl $TOKEN", "[ -v TOKEN ] && curl $TOKEN",
              "TOKEN+=x; a $TOKEN"}) {
            CAPTURE(cmd);
            CHECK_FALSE(relies_on(cmd, "TOKEN"));
        }
    }
}
