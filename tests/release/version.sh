#!/bin/sh
# What --version says about the commit, and that it is looked at anew: version.sh BUILD_DIRECTORY.
set -eu
. "$(dirname "$0")/files.sh"
tree=$dir/tree
mkdir -p "$tree/src/text"
cp src/text/version.cpp.in "$tree/src/text"

# in_tree ARGUMENT...: git there, and nothing of whoever runs this.
in_tree() {
    GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -C "$tree" -c user.name=x -c user.email=x@localhost "$@"
}

says() {
    cmake -D "SOURCE=$tree" -D NUMBER=1.2.3 -D "OUTPUT=$dir/version.cpp" -P cmake/version.cmake
    same "$1" "$2" "$(sed -n 's/.* version = "\(.*\)";/\1/p' "$dir/version.cpp")"
}

# Set where a hook of git runs the tests.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
says 'without git' '1.2.3'
in_tree -c init.defaultBranch=main init -q
says 'without a commit' '1.2.3'
in_tree add .
in_tree commit -qm one
commit=$(in_tree rev-parse --short=12 HEAD)
says 'of a commit' "1.2.3 ($commit)"
in_tree tag v9
says 'of a commit with a tag' "1.2.3 ($commit)"

touch -d '2001-01-01' "$dir/version.cpp"
says 'once more' "1.2.3 ($commit)"
same 'the time of what did not change' 2001 "$(date -r "$dir/version.cpp" +%Y)"

chown 12345 "$tree" 2>/dev/null || true # only root can
says 'of a tree of somebody else' "1.2.3 ($commit)"
echo '//' >>"$tree/src/text/version.cpp.in"
says 'of a changed tree' "1.2.3 ($commit-changed)"
mkdir -p "$tree/inner/src/text"
cp src/text/version.cpp.in "$tree/inner/src/text"
tree=$tree/inner
says 'inside another repository' '1.2.3'

# A new number compiles one file.
grep -q '"command": .*version\.cpp' "$1/compile_commands.json" || fail 'no compile commands'
if grep -E -- '-D[A-Z_]*VERSION' "$1/compile_commands.json"; then
    fail 'the version is in the commands that compile'
fi
