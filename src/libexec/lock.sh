# Sourced by the helpers of finally-run-lock(7): what all of them do, whatever their engine.
# Times are in hundredths of a second since the boot: a clock that nobody sets, and that goes on in a suspended machine.
# shellcheck shell=sh disable=SC2034

LC_ALL=C
export LC_ALL
line_end='
'

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# need PROGRAM PACKAGE
need() {
    command -v "$1" >/dev/null || die "$1 is missing; on Debian: apt-get install $2"
}

# Without control characters, and so short that a line with it is written in one piece.
one_line() {
    printf '%.1000s' "$1" | tr '\000-\037\177' '[?*]'
}

# A name that no engine, file system or shell takes for anything else: as it is, or "=" and its bytes in hexadecimal.
plain() {
    case $1 in
    *[!A-Za-z0-9._-]* | [.-]*) printf '=%s' "$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')" ;;
    *) printf %s "$1" ;;
    esac
}

# hundredths VARIABLE: of what it has in seconds.
hundredths() {
    eval "set -- \"$1\" \"\${$1}\""
    case $2 in '' | .* | *[!0-9.]* | *.*.*) die "$1: '$2' is not a number of seconds" ;; esac
    set -- "${2%%.*}" "${2#"${2%%.*}"}00"
    set -- "$1" "${2#.}"
    echo "$(($1 * 100 + 1${2%"${2#??}"} - 100))"
}

# in_seconds HUNDREDTHS: $seconds.
in_seconds() {
    seconds=$(($1 / 100)).$(($1 % 100 / 10))$(($1 % 10))
}

now() {
    read -r now rest </proc/uptime
    now=$((${now%.*} * 100 + 1${now#*.} - 100))
}

say() {
    # If nobody reads this any more, stdin has ended too.
    printf '%s\n' "$1" 2>/dev/null || leave=eof
}

# What the helper was asked for, and the times that follow from the TTL.
asked() {
    case ${1-} in
    '') die 'a NAME is needed' ;;
    *"$line_end"*) die 'a NAME has no newline in it' ;;
    esac
    name=$(plain "$1")
    holder=$(one_line "${FINALLY_RUN_LOCK_HOLDER:-somebody}")
    : "${FINALLY_RUN_LOCK_TTL:=30}" "${FINALLY_RUN_LOCK_MODE:=exclusive}" "${FINALLY_RUN_LOCK_WAIT:=}"
    ttl=$(hundredths FINALLY_RUN_LOCK_TTL) || exit
    [ "$ttl" -ge 100 ] || die "FINALLY_RUN_LOCK_TTL: '$FINALLY_RUN_LOCK_TTL' is less than a second"
    case $FINALLY_RUN_LOCK_MODE in
    exclusive | shared) ;;
    *) die "FINALLY_RUN_LOCK_MODE: '$FINALLY_RUN_LOCK_MODE' is neither exclusive nor shared" ;;
    esac
    ttl_seconds=$(((ttl + 99) / 100))
    beat=$((ttl / 10))
    now
    contact=$now deadline=
    if [ -n "$FINALLY_RUN_LOCK_WAIT" ]; then
        wait=$(hundredths FINALLY_RUN_LOCK_WAIT) || exit
        deadline=$((now + wait))
    fi
}

# fifo: a new one, in $fifo; its directory $dir is to be removed once it is open.
fifo() {
    if ! dir=$(mktemp -d) || ! mkfifo "$dir/fifo"; then
        die 'no temporary file can be made'
    fi
    fifo=$dir/fifo
}

# Events are lines on descriptor 3; whoever writes one to 4 fails once this shell is gone, however that went.
events() {
    fifo
    # shellcheck disable=SC2094
    exec 3<>"$fifo" 4>"$fifo"
    rm -r "$dir"
    leave='' children='' watcher=''
    trap 'leave=signal' TERM INT HUP
    exec 5<&0 </dev/null
    {
        exec <&5 5<&-
        apart
        pump
    } &
    children=$!
    exec 5<&-
}

# For a child that writes events, and ends by USR2: a signal that goes to all of us is this shell's to act on. By exec: a
# shell keeps a copy of what it puts elsewhere for one of its own commands.
apart() {
    trap '' TERM INT HUP
    exec >&4 2>/dev/null 3<&- 4>&- 6>&-
}

pump() {
    while IFS= read -r line; do
        printf 'in %.1000s\n' "$line" || exit
    done
    echo eof
}

# Wakes this shell up: after each beat, and at the deadline. It ends the other children if this shell is gone.
tick() {
    {
        apart
        ticker
    } &
    children="$children $!"
}

ticker() {
    trap 'kill -KILL "$!"; exit' USR2
    trap '' PIPE
    while :; do
        now
        pause=$beat
        if [ -n "$deadline" ] && [ "$now" -le "$deadline" ] && [ "$((deadline - now))" -lt "$pause" ]; then
            pause=$((deadline - now + 1))
        fi
        in_seconds "$pause"
        sleep "$seconds" >/dev/null &
        wait "$!"
        echo tick || break
    done
    # shellcheck disable=SC2086
    kill -USR2 $children
}

# event: the next one, in $event.
event() {
    IFS= read -r event <&3 || event=
    now
}

not_free() {
    end_children
    printf '%s\n' "$1" >&2
    exit 75
}

lose() {
    end_children
    die "$@"
}

end_children() {
    # shellcheck disable=SC2086
    kill -USR2 $children 2>/dev/null || true # some have ended by themselves
    [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true
}
