#!/bin/sh
# What ./dev says of itself.
set -eu
. "$(dirname "$0")/../release/files.sh"

# run STATUS ARGUMENT...: what ./dev prints goes to $dir/out and $dir/err.
run() {
    expected=$1 status=0
    shift
    ./dev "$@" </dev/null >"$dir/out" 2>"$dir/err" || status=$?
    same "status of ./dev $*" "$expected" "$status"
}

for word in help --help -h; do
    run 0 "$word"
    same 'what help says on stderr' '' "$(cat "$dir/err")"
    same 'the first command' '  help              this text' "$(grep -m 1 '^  [a-z]' "$dir/out")"
done
./dev help >"$dir/help"

run 2
same 'what no command says' "$(cat "$dir/help")" "$(cat "$dir/err")"
run 2 no-such-command
same 'what an unknown command says' "dev: no-such-command: no such command
$(cat "$dir/help")" "$(cat "$dir/err")"
same 'what an unknown command says on stdout' '' "$(cat "$dir/out")"

run 2 install --prefix /x
same 'what two words for a place say' "dev: install: one PREFIX at most, a directory: '--prefix' '/x'" "$(cat "$dir/err")"
run 2 uninstall --yes
same 'what an option for a place says' "dev: uninstall: one PREFIX at most, a directory: '--yes'" "$(cat "$dir/err")"

# Each command that the text names is one, and the other way round.
named=$(sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' "$dir/help" | LC_ALL=C sort)
known=$(sed -n '/^case /,/^esac/s/^\([a-z]*\)\( | .*\)\{0,1\})$/\1/p' dev | LC_ALL=C sort)
same 'the commands that help names' "$known" "$named"

run 2 package no-such-machine
same 'what package says of an unknown machine' \
    'dev: package: no-such-machine: it makes packages for amd64 and arm64' "$(cat "$dir/err")"
