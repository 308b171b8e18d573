# Sourced by the tests here: a directory of their own, and where the files of finally-run belong.
# shellcheck shell=sh disable=SC2034

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "$1" >&2
    exit 1
}

# same WHAT EXPECTED FOUND
same() {
    if [ "$2" != "$3" ]; then
        fail "$1: expected:
$2
found:
$3"
    fi
}

# The files below a directory, relative to it.
files_below() {
    (cd "$1" && find . ! -type d | sed 's|^\./||' | LC_ALL=C sort)
}

# works BINARY: it says its version, runs a command, and cleans up.
works() {
    "$1" --version | grep -qE '^finally-run [0-9]+\.[0-9]+\.[0-9]+( \([0-9a-f]{12}(-changed)?\))?$' ||
        fail "$1 --version: $("$1" --version)"
    same 'stdout and stderr of a run' 'hello
bye' "$("$1" --ci none --state-dir "$dir/state" --cleanup 'echo bye' -- echo hello 2>&1)"
}

installed_files='bin/finally-run
lib/systemd/user/finally-run-recover.service
libexec/finally-run/finally-run-lock-etcd
libexec/finally-run/finally-run-lock-postgres
libexec/finally-run/finally-run-lock-ssh
libexec/finally-run/lease.sh
libexec/finally-run/lock.sh
libexec/finally-run/ssh-there.sh
share/bash-completion/completions/finally-run
share/doc/finally-run/CHANGELOG.md
share/doc/finally-run/LICENSE
share/doc/finally-run/README.md
share/doc/finally-run/docs/cost.md
share/doc/finally-run/docs/recipes.md
share/doc/finally-run/docs/session.svg
share/fish/vendor_completions.d/finally-run.fish
share/man/man1/finally-run.1
share/man/man7/finally-run-lock.7
share/zsh/site-functions/_finally-run'
