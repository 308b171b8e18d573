#!/bin/sh
# The packages for arm64, and end-to-end cases of what is in them, on a processor that QEMU emulates: arm64.sh
# BUILD_DIRECTORY.
set -eu
if [ -z "${IN_NAMESPACE-}" ]; then
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=--map-root-user
    # shellcheck disable=SC2086
    IN_NAMESPACE=1 exec unshare $as_root --mount "$0" "$@"
fi
. "$(dirname "$0")/files.sh"

./dev package arm64 >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
(cd build/package && sha256sum --quiet -c SHA256SUMS)
number=$(sed -n 's/^project(finally-run VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
same 'the packages' "SHA256SUMS
finally-run-$number-1.aarch64.rpm
finally-run-$number-linux-arm64.tar.gz
finally-run_$number-1_arm64.deb" "$(files_below build/package)"
same 'the machine of the Debian package' arm64 "$(dpkg-deb --field build/package/*.deb Architecture)"
same 'the machine of the RPM' aarch64 "$(rpm -qp --qf '%{ARCH}' build/package/*.rpm)"

mkdir "$dir/archive" "$dir/deb"
tar -xzf build/package/*.tar.gz -C "$dir/archive" --strip-components=1
same 'what is in the archive' "$installed_files" "$(files_below "$dir/archive")"
dpkg-deb -x build/package/*.deb "$dir/deb"
rpm=$(echo build/package/*.rpm)
rpm2archive -n - <"$rpm" | tar -xf - -C "$dir/archive" ./usr/bin/finally-run
for binary in "$dir/deb/usr/bin/finally-run" "$dir/archive/usr/bin/finally-run"; do
    cmp "$dir/archive/bin/finally-run" "$binary"
done
readelf --wide --file-header "$dir/archive/bin/finally-run" | grep -qE 'Machine: +AArch64' ||
    fail 'the program is not one for arm64'
"$(dirname "$0")/binary.sh" build/release-arm64/finally-run 0

# In place of the program that the cases know, in this mount namespace alone.
cat >"$dir/emulated" <<END
#!/bin/sh
exec $(command -v qemu-aarch64-static) "$dir/archive/bin/finally-run" "\$@"
END
chmod +x "$dir/emulated"
works "$dir/emulated"

export FINALLY_RUN_STATE_DIR="$dir/state"
# shellcheck disable=SC2016
cleanup='echo "cleaned up by $FINALLY_RUN_BY" >>"$LOG"'
export LOG="$dir/log-of-cleanups"
# shellcheck disable=SC2016
"$dir/emulated" --lock l --cleanup "$cleanup" -- sh -c 'kill -9 "$PPID"' >"$dir/log" 2>&1 || true
"$dir/emulated" --lock l -- true
same 'what the guardian does' 'cleaned up by guardian' "$(cat "$LOG")"
# Everything is killed with the first process of its namespace.
mkfifo "$dir/runs"
# shellcheck disable=SC2016
unshare --pid --fork --kill-child sh -c '"$1" --cleanup "$2" -- sh -c "echo >\"$3\"; exec sleep 1000" & read -r _ <"$3"' \
    sh "$dir/emulated" "$cleanup" "$dir/runs"
"$dir/emulated" --recover >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
same 'what recovery does' 'cleaned up by guardian
cleaned up by recovery' "$(cat "$LOG")"
unset FINALLY_RUN_STATE_DIR
mount --bind "$dir/emulated" "$1/finally-run"

# Not among them what the emulator cannot: the words of a process in ps(1) are its own, so that the cases do not find the
# guardian; it takes some signals for itself; it starts a process too slowly for cases with hundreds of them.
cat >"$dir/cases" <<'END'
setups run from left to right and cleanups the other way round, around the command
a failed setup ends the run: what is left of it is cleaned up and what is right of it never happens
stdout carries the command's output alone
signals go to the whole group of a command
a stopped command does not stop finally-run, and goes on after SIGCONT
a command that takes too long is stopped and the status is 124
a lock by path works with flock both ways
a lock is held until the last cleanup has ended
neither a daemon of the command nor one of a step keeps the lock
a cleanup of 128 KiB runs
bytes that are not UTF-8 reach the cleanup and its environment unchanged
what a cleanup defers runs next
remove takes away a file and a tree and does not mind what is missing
remove does not follow symbolic links
temp-dir makes a private directory that later steps and the command and cleanups know, and removes it
after a kill -9 the lock is not free before the last cleanup has ended
recover leaves a live run alone
the report tells how the run and each of its steps went
TERM to the outer of two nested runs cleans up both, inside first
each option has a default in the environment and the command line wins
END
filter=$(sed 's/,/\\,/g' "$dir/cases" | paste -sd , -)
"$1/tests/e2e_tests" --test-case="$filter" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
number=$(wc -l <"$dir/cases")
grep -qE "test cases: +$number \| +$number passed" "$dir/log" || fail "not $number cases: $(cat "$dir/log")"
