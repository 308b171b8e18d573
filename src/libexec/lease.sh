# Sourced by the helpers whose engine is asked by one command at a time, and frees the lock TTL after the last `renew`.
#
# The helper defines these. Each asks once, by `call`, and returns 0, or 1 if the lock is somebody else's or lost (who or
# why is in $text), or 2 if there was no answer (why is in $text). A call that proves that the engine will keep the lock
# for another TTL sets contact=$began.
#   acquire   sets $token, and $unclean to what the last holder left there, or to nothing
#   renew, remember TEXT, forget, release
#   watch     starts $watcher, which writes the line $wake to descriptor 4 when the lock may be free
# shellcheck shell=sh disable=SC2034,SC2154

# call COMMAND...: its output, for at most a quarter of the TTL, and never beyond the time at which we give up.
call() {
    now
    limit=$((contact + patience - now))
    [ "$limit" -le "$((ttl / 4))" ] || limit=$((ttl / 4))
    [ "$limit" -ge 20 ] || limit=20
    in_seconds "$limit"
    timeout -s KILL "$seconds" "$@" 2>&1 3<&- 4>&-
}

# unanswered_by ENGINE STATUS LINE: why, in $text, for a `call` that failed; 137 is that of one that was killed.
unanswered_by() {
    text="$1: $3"
    [ "$2" != 137 ] && [ -n "$3" ] || text="$1: no answer"
    return 2
}

ask() {
    now
    began=$now
    "$@"
    case $? in
    0) return 0 ;;
    1) lose "the lock was lost: $text" ;;
    esac
    now
    in_seconds "$((now - contact))"
    [ "$((now - contact))" -lt "$patience" ] || lose "the lock was given up after $seconds s without contact: $text"
    return 1
}

ask_until_answered() {
    until ask "$@"; do
        sleep 0.1
    done
}

# Ends the helper unless the lock was had.
take() {
    reached='' shown='' noted='' due=0 patience=$ttl # nothing is at stake yet
    while [ -z "$leave" ]; do
        if [ "$now" -ge "$due" ]; then
            [ -z "$watcher" ] || kill "$watcher" 2>/dev/null
            watcher=''
            began=$now
            acquire
            case $? in
            0)
                patience=$((ttl / 2))
                return
                ;;
            1) busy ;;
            *) unanswered ;;
            esac
        elif [ -n "$deadline" ] && [ "$now" -ge "$deadline" ]; then
            [ -n "$reached" ] || lose "$text"
            not_free "held by $text"
        else
            event
            case $event in
            "$wake") due=0 ;;
            eof) leave=eof ;;
            esac
        fi
    done
    end_children
    [ "$leave" = eof ] || die 'ended by a signal'
    exit 0
}

busy() {
    contact=$began reached=1 noted=''
    [ -z "$deadline" ] || [ "$now" -lt "$deadline" ] || not_free "held by $text"
    [ "$text" = "$shown" ] || say "waiting $text"
    shown=$text
    watch
    now
    due=$((now + ttl / 2)) # if that was not told
}

unanswered() {
    now
    [ "$((now - contact))" -lt "$patience" ] || lose "$text"
    [ -z "$deadline" ] || [ "$now" -lt "$deadline" ] || lose "$text"
    [ -n "$noted" ] || printf '%s\n' "$text" >&2
    noted=1
    due=$((now + beat))
}

hold() {
    events
    tick
    take
    [ -z "$unclean" ] || say "unclean $unclean"
    say "held $token"
    due=$((began + beat))
    while [ -z "$leave" ]; do
        event
        case $event in
        'in begin '*) ask_until_answered remember "$(one_line "${event#in begin }")" ;;
        'in clean') ask_until_answered forget ;;
        eof) leave=eof ;;
        tick) [ "$now" -lt "$due" ] || ! ask renew || due=$((began + beat - 5)) ;;
        esac
    done
    ask_until_answered release
    say 'done'
    end_children
}
