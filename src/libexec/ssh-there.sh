# Started by finally-run-lock-ssh on the host of the lock, with NAME, the TTL in seconds and -x or -s as flock(1) has
# it: takes the lock, and holds it for TTL after it last heard from the other end. Only "release" frees it earlier.
# It goes there in single quotes, whatever shell is that of the login: so it has no single quote itself.
# shellcheck shell=sh
umask 077
dir=${XDG_STATE_HOME:-$HOME/.local/state}/finally-run/engine
mkdir -p "$dir" && cd "$dir" || exit
held="" waiter="" shown=""
# Who writes to an end that is gone goes on, and ends when there is nothing more to read: not before it has let go.
trap "" PIPE

say() {
    printf "there %s\n" "$*"
}

fail() {
    say "failed $*"
    exit 1
}

# The first line of a file, in $line.
first() {
    line=""
    [ ! -e "$1" ] || IFS= read -r line <"$1"
}

# replace FILE TEXT: whole or not at all.
replace() {
    printf "%s\n" "$2" >"$1.$$" || fail "$dir/$1 cannot be written"
    mv "$1.$$" "$1" || fail "$dir/$1 cannot be replaced"
}

taken() {
    held=1
    exec 8>>"$1.count"
    flock 8 # shared holders may count at once
    first "$1.token"
    case $line in "" | *[!0-9]*) line=0 ;; esac
    token=$((line + 1))
    replace "$1.token" "$token"
    exec 8>&-
    replace "$1.holder" "$holder"
    # Beside a shared holder there may be others, who are at work still.
    if [ "$2" = -x ]; then
        for mark in "$1".unclean.*; do
            [ ! -e "$mark" ] || { first "$mark" && say "unclean $line"; }
        done
    fi
    say "held $token"
}

waits() {
    first "$1.holder"
    line=${line:-${shown:-somebody}}
    [ "$line" = "$shown" ] || say "waiting $line"
    shown=$line
}

command -v flock >/dev/null || fail "flock is missing on the host; on Debian: apt-get install util-linux"
exec 9>>"$1.lock"
IFS= read -r holder
# Somebody without a name has only just come, or is about to find out that nobody is at the other end.
if flock -n "$3" 9 || { [ ! -e "$1.holder" ] && flock -w 2 "$3" 9; }; then
    say got
else
    waits "$1"
    (
        trap "kill -KILL \$!; exit" TERM
        flock "$3" 9 &
        wait "$!" && say got
    ) </dev/null &
    waiter=$!
fi

# The dog. It shares the open file, and so the lock: if this shell is killed the lock is held all the same.
# What a shell has only just forked still takes a signal for one to the shell, and so loses it, but for KILL.
trap "" USR1
(
    trap "kill -KILL \$!; exit" TERM
    sleep "$2" &
    trap "kill -KILL \$!" USR1
    until wait "$!"; do
        sleep "$2" &
    done
    flock -u 9
    [ -z "$waiter" ] || kill "$waiter"
    [ "$(readlink "/proc/$$/fd/9")" != "$(readlink /proc/self/fd/9)" ] || kill -KILL "$$"
) </dev/null >/dev/null 2>&1 &
dog=$!

while IFS= read -r event; do
    case $event in
    take)
        kill -USR1 "$dog"
        taken "$1" "$3"
        ;;
    tick*)
        kill -USR1 "$dog"
        say "tock ${event#tick }"
        [ -n "$held" ] || [ -z "$waiter" ] || waits "$1"
        ;;
    begin*)
        # Who begins has been told of what was left before.
        [ "$3" = -s ] || rm -f "$1".unclean.*
        replace "$1.unclean.$token" "${event#begin }"
        ;;
    clean) if [ "$3" = -x ]; then rm -f "$1".unclean.*; else rm -f "$1.unclean.$token"; fi ;;
    release)
        [ "$3" = -s ] || rm -f "$1.holder"
        flock -u 9
        kill "$dog"
        say "done"
        exit
        ;;
    esac
done
[ -z "$held" ] || wait
# shellcheck disable=SC2086
kill "$dog" $waiter
