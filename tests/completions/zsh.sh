#!/bin/bash
# Loads the zsh completion in a real, interactive zsh on a pty and asks it.
set -eu
# shellcheck source=sandbox.bash
. "$(dirname "$0")/sandbox.bash"

# The shell under test: it completes each line as if TAB had been typed behind it, before its first prompt is done.
cat >"$dir/.zshrc" <<'EOF'
fpath=($COMPLETIONS $fpath)
autoload -Uz compinit
compinit -u -D
_frobnicate() { _arguments '--orbit[x]' '1:what:(inner)' }
compdef _frobnicate frobnicate
zstyle ':completion:*' menu no
unsetopt auto_menu list_ambiguous beep

# ask WANTED LINE: what LINE becomes.
ask() {
    BUFFER=$2 CURSOR=$#2
    zle complete-word
    [[ $BUFFER == $1 ]] || print -r -- "completing [$2]: wanted [$1], got [$BUFFER]"
}
ask_all() {
    ask 'finally-run --orphans=' 'finally-run --orp'
    ask 'finally-run --orphans wait ' 'finally-run --orphans w'
    ask 'finally-run --orphans=wait ' 'finally-run --orphans=w'
    ask 'finally-run -q --stop-with-caller never ' 'finally-run -q --stop-with-caller n'
    ask 'finally-run --ci git' 'finally-run --ci g'
    ask 'finally-run --signal TERM ' 'finally-run --signal TE'
    ask 'finally-run --lock deploy ' 'finally-run --lock '
    ask 'finally-run -qnl deploy ' 'finally-run -qnl d'
    ask 'finally-run --state-dir ../other --lock-shared elsewhere ' 'finally-run --state-dir ../other --lock-shared '
    ask 'finally-run --state-dir subdir/' 'finally-run --state-dir s'
    ask 'finally-run --report a\ file ' 'finally-run --report a'
    ask 'finally-run -r a\ file ' 'finally-run -r a'
    ask 'finally-run -c frobnicate ' 'finally-run -c frobn'
    ask 'finally-run frobnicate ' 'finally-run frobn'
    ask 'finally-run --lock x -- frobnicate ' 'finally-run --lock x -- frobn'
    ask 'finally-run frobnicate inner ' 'finally-run frobnicate in'
    ask 'finally-run --lock x -qnc y -- frobnicate inner ' 'finally-run --lock x -qnc y -- frobnicate in'
    ask 'finally-run -k 3s frobnicate --orbit ' 'finally-run -k 3s frobnicate --or'
    ask 'finally-run frobnicate --orp' 'finally-run frobnicate --orp'
    ask 'finally-run --keep-env LOGNAME ' 'finally-run --keep-env LOGN'
    ask 'finally-run --keep-env none ' 'finally-run --keep-env non'
    ask 'finally-run --ready tcp:' 'finally-run --ready tcp'
    ask 'finally-run --ready file:a\ file ' 'finally-run --ready file:a'
    ask 'finally-run --ready frobnicate ' 'finally-run --ready frobn'
    ask 'finally-run --defer frobnicate ' 'finally-run --defer frobn'
    ask 'finally-run --defer x frobn' 'finally-run --defer x frobn'
    ask 'finally-run --status frobn' 'finally-run --status frobn'
    ask 'finally-run --status --json ' 'finally-run --status --js'
    ask 'finally-run --recover 20261122T154203-5f3a9c2e ' 'finally-run --recover '
    ask 'finally-run --forget x 20261122T154203-5f3a9c2e ' 'finally-run --forget x 2026'
    ask 'finally-run --state-dir ../other --recover 20260101T000000-00000000 ' \
        'finally-run --state-dir ../other --recover '
    ask 'finally-run --recover frobn' 'finally-run --recover frobn'
    print -r -- asked
    exit
}
zle-line-init() { ask_all >$ANSWERS }
zle -N zle-line-init
EOF

# The shell that gives it a pty and reads what it prints until it ends.
# shellcheck disable=SC2016 # $line is that shell's
env -u FINALLY_RUN_STATE_DIR HOME="$dir/home" ZDOTDIR="$dir" XDG_STATE_HOME="$dir/state" PATH="$dir/bin:$PATH" \
    COMPLETIONS="$completions" ANSWERS="$dir/answers" TERM=dumb \
    zsh -fc 'zmodload zsh/zpty; zpty shell zsh -d -i; while zpty -r shell line; do print -r -- $line; done' \
    >"$dir/screen" 2>&1 || true
if [ "$(cat "$dir/answers")" != asked ]; then
    cat "$dir/answers" "$dir/screen" >&2
    exit 1
fi
