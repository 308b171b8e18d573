#!/bin/sh
# Makes the packages, and installs, uses and removes them in a root of their own: package.sh BUILD_DIRECTORY.
set -eu
if [ "$(id -u)" -ne 0 ] && [ -z "${IN_NAMESPACE-}" ]; then
    # dpkg gives files to root.
    IN_NAMESPACE=1 exec unshare --map-root-user "$0" "$@"
fi
. "$(dirname "$0")/files.sh"

# pack BUILD_DIRECTORY INTO
pack() {
    cpack --config "$1/CPackConfig.cmake" -B "$2" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
}

export SOURCE_DATE_EPOCH=2000000000 # later than that of any file, as the commit is that a fresh clone is made from
pack "$1" "$dir/made"

# Once more, where all is different that may differ between two machines, file system included: the same bytes.
elsewhere=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$dir" "$elsewhere"' EXIT
(
    umask 077
    export TZ=Asia/Tokyo LC_ALL=C.UTF-8
    pack "$1" "$elsewhere"
)
for file in "$dir"/made/finally-run*; do
    cmp "$file" "$elsewhere/${file##*/}"
done
! grep -qF "$PWD" "$1/finally-run" || fail 'the program has in it where it was built'

# The archive.
mkdir "$dir/archive"
tar --warning=no-timestamp -xzf "$dir"/made/*.tar.gz -C "$dir/archive" --strip-components=1
same 'what is in the archive' "$installed_files" "$(files_below "$dir/archive")"
works "$dir/archive/bin/finally-run"

# The RPM.
rpm=$(echo "$dir"/made/*.rpm)
same 'what is in the RPM' "$(echo "$installed_files" | sed 's|^|/usr/|')" \
    "$(rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$rpm" | sed -n 's/^-[^ ]* //p' | LC_ALL=C sort)"
same 'the directories of the RPM' '/usr/libexec/finally-run
/usr/share/doc/finally-run
/usr/share/doc/finally-run/docs' "$(rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$rpm" | sed -n 's/^d[^ ]* //p')"
rpm -K --nosignature "$rpm" >"$dir/log" 2>&1 || fail "rpm -K: $(cat "$dir/log")"
same 'what the RPM needs' /bin/sh "$(rpm -qp --requires "$rpm" | grep -v '^rpmlib(')"
rpm2archive -n - <"$rpm" | tar --warning=no-timestamp -xf - -C "$dir" ./usr/bin/finally-run
cmp "$dir/usr/bin/finally-run" "$dir/archive/bin/finally-run"

# The Debian package.
deb=$(echo "$dir"/made/*.deb)
found=$(lintian --fail-on error,warning "$deb" 2>&1) || fail "lintian: $found"
case $found in *[EW]:*) fail "lintian: $found" ;; esac

root=$dir/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/log"
: >"$root/var/lib/dpkg/status"

in_root() {
    dpkg --root="$root" --force-not-root "$@" >"$dir/log" 2>&1 || fail "dpkg $*: $(cat "$dir/log")"
}

# But for what dpkg keeps itself.
everything_in_root() {
    (cd "$root" && find . -path ./var -prune -o -print | LC_ALL=C sort)
}

before=$(everything_in_root)
in_root --install "$deb"
same 'what the package installs' 'usr/bin/finally-run
usr/lib/systemd/user/finally-run-recover.service
usr/libexec/finally-run/finally-run-lock-etcd
usr/libexec/finally-run/finally-run-lock-postgres
usr/libexec/finally-run/finally-run-lock-ssh
usr/libexec/finally-run/lease.sh
usr/libexec/finally-run/lock.sh
usr/libexec/finally-run/ssh-there.sh
usr/share/bash-completion/completions/finally-run
usr/share/doc/finally-run/README.md
usr/share/doc/finally-run/changelog.Debian.gz
usr/share/doc/finally-run/changelog.gz
usr/share/doc/finally-run/copyright
usr/share/doc/finally-run/docs/cost.md
usr/share/doc/finally-run/docs/recipes.md
usr/share/doc/finally-run/docs/session.svg
usr/share/fish/vendor_completions.d/finally-run.fish
usr/share/lintian/overrides/finally-run
usr/share/man/man1/finally-run.1.gz
usr/share/man/man7/finally-run-lock.7.gz
usr/share/zsh/vendor-completions/_finally-run' "$(files_below "$root" | grep -v '^var/')"
works "$root/usr/bin/finally-run"
gzip -dc "$root/usr/share/man/man1/finally-run.1.gz" | cmp - man/finally-run.1
(cd "$root" && md5sum --quiet -c var/lib/dpkg/info/finally-run.md5sums)

# There is nothing in this root but the package: no library, no /proc, no shell.
"$root/usr/bin/finally-run" --version >"$dir/version"
chroot "$root" /usr/bin/finally-run --version | cmp - "$dir/version"

in_root --purge finally-run
same 'what is left of the package' "$before" "$(everything_in_root)"
