# Sourced by dev: finds out what is missing of what $needs names, and installs it.
# shellcheck shell=bash disable=SC2154

# "true": nobody is asked.
unasked=${CI:-}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo -- "$@"
    fi
}

# The runtime of -fsanitize=fuzzer is a package of its own; clang prints a path if it is there, and else the mere name.
has_libfuzzer() {
    local name
    for name in "libclang_rt.fuzzer-$(uname -m).a" libclang_rt.fuzzer.a; do
        if [[ $(clang++ -print-file-name="$name" 2>/dev/null) == */* ]]; then
            return
        fi
    done
    return 1
}

# Is a program, a <header> or a library there? The compiler knows best where to look for headers.
is_there() {
    local PATH=$PATH:/usr/sbin:/sbin # where sshd is, and who is not root does not look
    case $1 in
    '<'*)
        printf '#if !__has_include(%s)\n#error\n#endif\n' "$1" | g++ -E -x c++ -std=c++20 - >/dev/null 2>&1
        ;;
    libfuzzer)
        has_libfuzzer
        ;;
    busybox-static) # the other busybox needs libraries
        [[ -e /usr/share/doc/busybox-static ]]
        ;;
    *)
        command -v "$1" >/dev/null
        ;;
    esac
}

# On a terminal nothing is installed before somebody has said so.
ask() {
    local answer
    if [[ $unasked == true || ! -t 2 ]] || ! { : </dev/tty; } 2>/dev/null; then
        return
    fi
    printf 'dev: %s' "$1" >&2
    if ! read -r answer </dev/tty || [[ $answer != @(|y|Y|yes) ]]; then
        say 'nothing was installed'
        exit 1
    fi
}

# setup PART...: installs what is missing of what these parts need.
setup() {
    local part item package list why=
    local -a missing=()
    for part in "$@"; do
        list=
        for item in ${needs[$part]}; do
            package=${item##*:}
            if [[ " ${missing[*]} " != *" $package "* ]] && ! is_there "${item%:*}"; then
                missing+=("$package")
                list+=" $package"
            fi
        done
        if [[ -n $list ]]; then
            why+="${why:+;}$list (${purposes[$part]})"
        fi
    done
    if ((${#missing[@]} == 0)); then
        return
    fi
    say "missing:$why"
    if ! command -v apt-get >/dev/null || { ((EUID != 0)) && ! command -v sudo >/dev/null; }; then
        say 'please install them: the names are those of Debian'
        exit 1
    fi
    ask 'Enter installs them with apt-get, Ctrl+C does not: '
    say "installing ${#missing[@]} packages and what they need"
    quietly apt-update as_root apt-get update
    quietly apt-install as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
}
