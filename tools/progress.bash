# Sourced by dev: runs things quietly, and tells how far they are. Their logs go into $logs.
# shellcheck shell=bash disable=SC2154

on_terminal() {
    [[ -t 2 && ${TERM:-dumb} != dumb ]]
}

# Progress goes to stderr: stdout belongs to what is run.
say() {
    if on_terminal; then
        printf '\r\e[K' >&2 # the line of follow
    fi
    printf 'dev: %s\n' "$*" >&2
}

# follow NAME LOG: until its stdin ends, one line on the terminal says for how long, and the last line of LOG; elsewhere
# it is a line a minute. It says nothing before LOG has something: sudo may be asking for a password.
follow() {
    local since=$SECONDS last seconds
    while read -r -t 1 || (($? > 128)); do
        last=$(tail -n 1 -- "$2")
        seconds=$((SECONDS - since))
        if [[ -z $last ]]; then
            continue
        elif on_terminal; then
            printf '\r\e[?7ldev: %s, %d s: %s\e[K\e[?7h' "$1" "$seconds" "${last//[[:cntrl:]]/ }" >&2
        elif ((seconds > 0 && seconds % 60 == 0)); then
            say "$1, $((seconds / 60)) min: $last"
        fi
    done
    if on_terminal; then
        printf '\r\e[K' >&2
    fi
}

# followed NAME LOG COMMAND...: runs COMMAND and tells how far LOG is, unless there is something in $unfollowed.
followed() {
    local name=$1 log=$2 status=0 end follower
    shift 2
    mkdir -p "$logs"
    if [[ -n ${unfollowed:-} ]]; then
        "$@"
        return
    fi
    : >>"$log"
    exec {end}> >(follow "$name" "$log")
    follower=$!
    "$@" {end}>&- || status=$?
    exec {end}>&-
    wait "$follower" || true
    return "$status"
}

# logged NAME COMMAND...: runs COMMAND quietly; what it printed is shown only if it fails.
logged() {
    local name=$1 log=$logs/$1.log
    shift
    mkdir -p "$logs"
    if ! "$@" </dev/null >"$log" 2>&1; then
        cat -- "$log" >&2
        say "failed: $name; the log is $log"
        return 1
    fi
}

quietly() {
    followed "$1" "$logs/$1.log" logged "$@"
}
