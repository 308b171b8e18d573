#!/usr/bin/env bash
# What docs/session.svg shows: `./dev picture` plays it in a terminal and records that.
# The state directory and the current one are its caller's, and finally-run is in PATH. $PAUSE: seconds, to read.
set -eu

cat >stack <<'END'
#!/bin/sh
case $1 in
up) echo 'database is up' ;;
down)
    if test -e broken; then
        echo 'database does not answer'
        exit 1
    fi
    echo 'database is gone'
    ;;
esac
END
printf 'test:\n\t@echo "12 tests passed"\n' >Makefile
chmod +x stack
touch broken

# Whoever looks sees a prompt, and what is typed there.
typed() {
    printf '\033[1m$ %s\033[0m\n' "$1"
    sleep "${PAUSE:-0}"
    eval "$1" || true
    sleep "${PAUSE:-0}"
    echo
}

typed "finally-run --lock deploy --cleanup './stack down' --setup './stack up' -- make test"
typed 'finally-run --status'
typed 'rm broken # mended'
typed 'finally-run --recover'
