#!/bin/sh
# ./dev install and ./dev uninstall: what they say, and that nothing stays but what is somebody else's.
set -eu
. "$(dirname "$0")/files.sh"

prefix=$dir/"a prefix"
says() {
    expected=$1
    shift
    ./dev "$@" "$prefix" </dev/null >"$dir/log" 2>&1 || fail "./dev $*: $(cat "$dir/log")"
    grep -qF "$expected" "$dir/log" || fail "./dev $* does not say '$expected': $(cat "$dir/log")"
}

says "dev: installed $prefix/bin/finally-run, its manual, lock helpers and completions; ./dev uninstall '$prefix' removes them" install
grep -qF "dev: $prefix/bin is not in your PATH: call it by its whole name, or add that" "$dir/log" || fail "$(cat "$dir/log")"
same 'what is installed' "$installed_files" "$(files_below "$prefix")"

echo mine >"$prefix/share/doc/finally-run/notes"
rm "$prefix/bin/finally-run" # somebody was there before
says "dev: removed what was installed into $prefix" uninstall
same 'what is left' share/doc/finally-run/notes "$(files_below "$prefix")"
[ ! -e "$prefix/libexec/finally-run" ] || fail "an empty directory is left: $prefix/libexec/finally-run"

! ./dev uninstall "$prefix" </dev/null >"$dir/log" 2>&1 || fail 'nothing is installed, and uninstall succeeds'
grep -qF "dev: $prefix: nothing of finally-run is there" "$dir/log" || fail "$(cat "$dir/log")"

# Where systemd looks, it says how to enable the unit; DESTDIR keeps it out of this machine.
if [ "$(id -u)" -eq 0 ]; then
    DESTDIR="$dir/machine" ./dev install </dev/null >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
    grep -qF 'dev: to finish what a reboot cuts off: systemctl --user enable finally-run-recover; ' "$dir/log" || fail "$(cat "$dir/log")"
    [ -e "$dir/machine/usr/local/lib/systemd/user/finally-run-recover.service" ] || fail 'there is no unit where systemd looks'
fi
