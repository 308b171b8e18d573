#!/bin/sh
# The binary in a root directory of nothing but itself and busybox, as Alpine has it: bare.sh BUILD_DIRECTORY.
set -eu
if [ "$(id -u)" -ne 0 ] && [ -z "${IN_NAMESPACE-}" ]; then
    IN_NAMESPACE=1 exec unshare --map-root-user --mount "$0" "$@"
fi
. "$(dirname "$0")/files.sh"

root=$dir/root
mkdir -p "$root/bin" "$root/dev" "$root/tmp"
cp "$1/finally-run" "$(command -v busybox)" "$root/bin"
ln -s busybox "$root/bin/sh"

# in_root STATUS COMMAND...: what it prints goes to $dir/said.
in_root() {
    expected=$1 status=0
    shift
    chroot "$root" /bin/busybox env -i PATH=/bin "$@" >"$dir/said" 2>&1 </dev/null || status=$?
    same "status of $* ($(cat "$dir/said"))" "$expected" "$status"
}

# A line, and nothing has begun.
in_root 125 finally-run --cleanup 'echo down' --setup 'echo up' -- sh -c 'echo works'
same 'what it says without /dev/null' 'finally-run: open: /dev/null: No such file or directory' "$(cat "$dir/said")"

# An ordinary file will do: it is empty, and nothing is written to it here.
: >"$root/dev/null"
# shellcheck disable=SC2016
in_root 3 finally-run --lock l --cleanup 'echo down' --setup 'echo up' --temp-dir T -- sh -c 'echo "works in $T"; exit 3'
same 'what a run prints' 'up
works in /tmp/finally-run.X
down' "$(sed 's/\(run\.\)[0-9a-f]*$/\1X/' "$dir/said")"
same 'what it leaves' 'tmp' "$(cd "$root" && find tmp)"

# shellcheck disable=SC2016
in_root 137 finally-run --lock l --cleanup 'echo "down, by the $FINALLY_RUN_BY" >>/log' -- sh -c 'kill -9 "$PPID"'
# The next holder waits for the guardian, or does its work.
in_root 0 finally-run --lock l -- busybox true
grep -qxE 'down, by the (guardian|recovery)' "$root/log" || fail "the cleanup of a killed run: $(cat "$root/log")"
in_root 0 finally-run --status
case $(cat "$dir/said") in *': no runs'* | *'no runs here'*) ;; *) fail "something is left: $(cat "$dir/said")" ;; esac
