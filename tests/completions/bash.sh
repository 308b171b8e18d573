#!/bin/bash
# Loads the bash completion in a real bash and asks it.
# shellcheck disable=SC2317 # the completion calls what seems unreachable here
set -eu
# shellcheck source=sandbox.bash
. "$(dirname "$0")/sandbox.bash"
failures=0

# Works only while a key is being pressed.
compopt() { :; }

# shellcheck source=/dev/null
source "$completions/finally-run.bash"
complete -p finally-run >/dev/null

# ask WANTED WORD...: what the last word can become, joined by blanks; "*" in WANTED stands for anything.
ask() {
    local wanted=$1 got
    shift
    COMP_WORDS=(finally-run "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _finally_run
    got="${COMPREPLY[*]}"
    # shellcheck disable=SC2053 # a pattern
    if [[ $got != $wanted ]]; then
        echo "completing [${COMP_WORDS[*]}]: wanted [$wanted], got [$got]" >&2
        failures=$((failures + 1))
    fi
}

ask --orphans --orp
ask '*--cleanup*--lock*' --
ask '*-c --cleanup*' -
ask 'leave wait kill' --orphans ''
ask 'auto always never' -q --stop-with-caller ''
ask 'github gitlab' --ci = g
ask 'auto github gitlab none' --ci =
ask TERM --signal TE
ask QUIT --rewrite TERM : QU
ask '*TERM*' --rewrite TERM :
ask frobnicate --rewrite TERM : QUIT frobn
ask deploy --lock ''
ask deploy -qnl ''
ask elsewhere --state-dir ../other --lock-shared ''
ask elsewhere --state-dir = ../other -l e
ask 'subdir' --state-dir ''
ask 'a file' --report a
ask 'a file' -r a
ask frobnicate -c frobn
ask frobnicate frobn
ask frobnicate --lock x -- frobn
ask '' --grace ''
ask '' frobnicate --orp
ask '' -qcx frobnicate --orp
ask --orphans -qcx --orp
ask --keep-env --keep
ask PATH --keep-env PAT
ask none --keep-env non
ask tcp: --ready tcp
ask 'tcp: unix: file:' --ready ''
ask '' --ready tcp :
ask 'a file' --ready file : a
ask frobnicate --ready frobn
ask --timeout --service x --ready tcp : 7777 --timeo
ask frobnicate --lock etcd : deploy frobn
ask '' --lock etcd : dep
ask '' -l etcd :
ask frobnicate --defer frobn
ask '' --defer frobnicate ''
ask '' --status frobn
ask --json --status --js
ask 20261122T154203-5f3a9c2e --recover ''
ask 20261122T154203-5f3a9c2e --forget other-run -q 2026
ask 20261122T154203-5f3a9c2e --recover -- 2
ask '' --recover frobn
ask 20260101T000000-00000000 --state-dir ../other --recover ''
ask --no-wait --recover 20261122T154203-5f3a9c2e --no-w

# With bash-completion there, the command's own completion takes over from its first word on.
_command_offset() { COMPREPLY=("offset $1"); }
ask 'offset 1' frobnicate --orp
ask 'offset 2' -- ''
ask 'offset 4' -qn --lock x frobnicate -x
ask 'offset 4' -qncx -E 3 frobnicate
ask 'offset 5' --lock = x -q make --lock ''
ask 'offset 4' -c -- -- make
_comp_command_offset() { COMPREPLY=("newer offset $1"); }
ask 'newer offset 1' make ''

exit $((failures > 0))
