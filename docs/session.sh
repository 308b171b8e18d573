#!/usr/bin/env bash
# What docs/session.svg shows: `./dev picture` plays it in a terminal and records that.
# FINALLY_RUN_STATE_DIR and the directory are its caller's, and finally-run is in PATH.
set -eu

cat >stack <<'END'
#!/bin/sh
case $1 in
up) echo 'database is up' ;;
down) echo 'database is gone' ;;
esac
END
printf '#!/bin/sh\nexec sleep 2\n' >deploy
printf 'test:\n\t@echo "12 tests passed"\n' >Makefile
chmod +x stack deploy

# Whoever looks sees a prompt, and what is typed there.
typed() {
    printf '\033[1m$ %s\033[0m\n' "$1"
    eval "$1" || true
}

# in_another_terminal NAME: a run that has the lock.
in_another_terminal() {
    finally-run --lock deploy --cleanup './stack down' -- ./deploy "$1" >other.log 2>&1 &
    until [[ $(finally-run --status) == *"./deploy $1"* ]]; do
        sleep 0.05
    done
}

in_another_terminal staging
typed "finally-run --lock deploy --setup './stack up' --cleanup './stack down' -- make test"
wait
echo
typed "GITHUB_ACTIONS=true finally-run --lock deploy --cleanup './stack down' -- make test"
echo
in_another_terminal production
typed 'finally-run --status'
wait
