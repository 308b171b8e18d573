#!/bin/bash
# Loads the fish completion in a real fish and asks it.
set -eu
# shellcheck source=sandbox.bash
. "$(dirname "$0")/sandbox.bash"

cat >"$dir/ask.fish" <<'EOF'
set -g failures 0

# ask WANTED LINE: the words that LINE can be completed to, joined by blanks; "*" in WANTED stands for anything.
function ask
    set -l got (complete -C $argv[2] | string replace -r '\t.*' '' | string join ' ')
    if not string match -q -- $argv[1] "$got"
        echo "completing [$argv[2]]: wanted [$argv[1]], got [$got]" >&2
        set failures (math $failures + 1)
    end
end

source $argv[1]
complete -c frobnicate -f -a 'inner outer'
complete -c frobnicate -l orbit

ask --orphans 'finally-run --orp'
ask '*--cleanup*--lock*' 'finally-run --'
ask '*--cleanup*' 'finally-run -'
ask 'kill leave wait' 'finally-run --orphans '
ask 'always auto never' 'finally-run -q --stop-with-caller '
ask '--ci=github --ci=gitlab' 'finally-run --ci=g'
ask TERM 'finally-run --signal TE'
ask '*deploy*' 'finally-run --lock '
ask '*deploy*' 'finally-run -qnl d'
ask '*elsewhere*' 'finally-run --state-dir ../other --lock-shared e'
ask 'subdir/' 'finally-run --state-dir '
ask '*a file*' 'finally-run --report '
ask '*a file*' 'finally-run -r a'
ask 'inner outer' 'finally-run frobnicate '
ask 'inner outer' 'finally-run --lock x -qnc "echo x" -- frobnicate '
ask 'inner outer' 'finally-run --grace=3s frobnicate '
ask --orbit 'finally-run -k 3s frobnicate --or'
ask '' 'finally-run frobnicate --orp'
ask '*frobnicate*' 'function frobnicate; end; finally-run -- frobn'

ask PATH 'finally-run --keep-env PAT'
ask '*frobnicate*' 'finally-run --defer frobn'
ask '' 'finally-run --defer x frobn'
ask '' 'finally-run --defer=x frobn'
ask '' 'finally-run --status frobn'
ask --json 'finally-run --status --js'
ask 20261122T154203-5f3a9c2e 'finally-run --recover '
ask 20261122T154203-5f3a9c2e 'finally-run --forget other-run -q 2026'
ask '' 'finally-run --recover frobn'
ask 20260101T000000-00000000 'finally-run --state-dir ../other --recover '
ask --no-wait 'finally-run --recover 20261122T154203-5f3a9c2e --no-w'

exit (test $failures -eq 0; echo $status)
EOF
fish --no-config "$dir/ask.fish" "$completions/finally-run.fish"
