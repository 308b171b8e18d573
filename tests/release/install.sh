#!/bin/sh
# What `cmake --install` puts where: install.sh BUILD_DIRECTORY.
set -eu
. "$(dirname "$0")/files.sh"

DESTDIR='' cmake --install "$1" --prefix "$dir/prefix" --strip >"$dir/log" || fail "$(cat "$dir/log")"
same 'what is installed' "$installed_files" "$(files_below "$dir/prefix")"
works "$dir/prefix/bin/finally-run"
cmp man/finally-run.1 "$dir/prefix/share/man/man1/finally-run.1"
# What its documents link to is there too.
(
    cd "$dir/prefix/share/doc/finally-run"
    grep -roE '\]\([^)#:*]+[)#]' --include='*.md' . | sed 's/:](/ /; s/[)#]$//' | while read -r document link; do
        [ -e "$(dirname "$document")/$link" ] || fail "$document links $link, which is not installed"
    done
)
