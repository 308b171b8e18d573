# Sourced by the scripts here: a sandbox $dir that goes with the shell, in which lock names, runs, a program and files
# can be completed. We are in $dir/work then.
# shellcheck disable=SC2034 # for whoever sources this
completions=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../completions" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/state/finally-run" "$dir/home" "$dir/other" "$dir/bin" "$dir/work/subdir"
touch "$dir/state/finally-run/deploy" "$dir/state/finally-run/etcd:deploy" "$dir/state/finally-run/.own" "$dir/other/elsewhere" "$dir/work/a file"
printf '#!/bin/sh\n' >"$dir/bin/frobnicate"
# Two runs, one of them in another state directory, and what only looks like one.
cat >"$dir/bin/finally-run" <<'EOF'
#!/bin/sh
case $* in
'--status --json') echo '{"runs":[{"id":"20261122T154203-5f3a9c2e"},{"command":["x-20261122T154203-5f3a9c2f"]}]}' ;;
'--state-dir ../other --status --json') printf '{\n  "id": "20260101T000000-00000000"\n}\n' ;;
*) exit 125 ;;
esac
EOF
chmod +x "$dir/bin/frobnicate" "$dir/bin/finally-run"
export HOME=$dir/home XDG_STATE_HOME=$dir/state PATH=$dir/bin:$PATH
unset FINALLY_RUN_STATE_DIR
cd "$dir/work" || exit
