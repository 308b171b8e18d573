#!/bin/sh
# What ./dev asks for and installs on a machine that lacks it; the package manager is played.
set -eu
. "$(dirname "$0")/../release/files.sh"

# A machine with a shell, and without a compiler.
copy=$dir/copy
bin=$dir/bin
mkdir -p "$copy" "$bin"
cp -r dev tools "$copy"
for program in bash env sh dirname mkdir cat tail uname; do
    ln -s "$(command -v "$program")" "$bin"
done
cat >"$bin/sudo" <<'END'
#!/bin/sh
echo sudo >>"$CALLS"
[ "$1" = -- ] && shift
exec "$@"
END
cat >"$bin/apt-get" <<'END'
#!/bin/sh
echo "apt-get $*" >>"$CALLS"
END
chmod +x "$bin/sudo" "$bin/apt-get"
chmod -R go+rX "$dir"
export CALLS="$dir/calls" TERM=xterm
unset CI

program='g++ cmake ninja-build libcli11-dev libfmt-dev nlohmann-json3-dev libboost1.81-dev'
install='apt-get install -y --no-install-recommends'

# As somebody who must ask sudo.
as_user=
if [ "$(id -u)" -eq 0 ]; then
    as_user="$(command -v setpriv) --reuid=65534 --regid=65534 --clear-groups"
fi
mkdir "$copy/build"
: >"$CALLS"
chmod a+rwx "$copy/build" "$CALLS"

# dev ARGUMENT...: from no terminal. What it says goes to $dir/said, and $status is its status.
dev() {
    : >"$CALLS"
    status=0
    # shellcheck disable=SC2086
    PATH=$bin $as_user "$bin/bash" "$copy/dev" "$@" </dev/null >"$dir/said" 2>&1 || status=$?
}

# dev_on_terminal ANSWER COMMAND-LINE: on a terminal, where ANSWER is typed.
dev_on_terminal() {
    : >"$CALLS"
    status=0
    # shellcheck disable=SC2059
    printf "$1" | SHELL=/bin/sh \
        script -qec "PATH='$bin' $as_user '$bin/bash' '$copy/dev' $2" /dev/null >"$dir/said" 2>&1 ||
        status=$?
}

said() {
    grep -qF -- "$1" "$dir/said" || fail "$2: it does not say '$1' but:
$(cat "$dir/said")"
}

# says_what_is_missing WHEN: one line, with nothing but what the program needs.
says_what_is_missing() {
    tr -d '\r' <"$dir/said" | sed 's/^.*\[K//' | grep -qxF "dev: missing: $program (to build finally-run)" ||
        fail "$1: it does not say what is missing, but: $(cat "$dir/said")"
}

# installed WHAT PACKAGES: that was asked of the package manager, through sudo.
installed() {
    same "$1: calls" "sudo
apt-get update
sudo
$install $2" "$(cat "$CALLS")"
}

dev setup program
same 'status without a terminal' 0 "$status"
says_what_is_missing 'without a terminal'
installed 'without a terminal' "$program"

dev_on_terminal '\n' 'setup program'
same 'status after Enter' 0 "$status"
says_what_is_missing 'after Enter'
said 'Enter installs them' 'after Enter'
installed 'after Enter' "$program"

for command in build 'run -- true'; do
    for answer in 'no\n' '\004'; do
        dev_on_terminal "$answer" "$command"
        same "status of $command after $answer" 1 "$status"
        says_what_is_missing "$command after $answer"
        said 'nothing was installed' "$command after $answer"
        same "calls of $command after $answer" '' "$(cat "$CALLS")"
    done
done

for line in '--yes setup program' 'setup --yes program'; do
    dev_on_terminal '' "$line"
    same "status of $line" 0 "$status"
    installed "$line" "$program"
    if grep -qF 'Enter' "$dir/said"; then fail "$line asks"; fi
done

CI=true dev_on_terminal '' 'setup program'
same 'status with CI=true' 0 "$status"
installed 'with CI=true' "$program"

dev --yes setup cases format
installed 'parts by name' 'doctest-dev clang-format'

dev setup no-such-part
same 'status of a part that does not exist' 2 "$status"
said 'no-such-part: no such part' 'a part that does not exist'

# It fails if the package manager does, and shows why.
cat >"$bin/apt-get" <<'END'
#!/bin/sh
echo 'E: the network is down'
exit 100
END
dev setup program
[ "$status" -ne 0 ] || fail 'a package manager that fails is believed'
said 'E: the network is down' 'with a package manager that fails'

# There is nothing to call.
rm "$bin/apt-get"
dev setup program
same 'status without apt-get' 1 "$status"
says_what_is_missing 'without apt-get'
said 'please install them' 'without apt-get'
