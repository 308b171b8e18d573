# Completion of finally-run for bash.

# The names of the locks in the state directory: finally-run's own files there begin with a dot.
_finally_run_locks() {
    local state_dir=$1 file
    if [[ -z $state_dir ]]; then
        state_dir=${FINALLY_RUN_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/finally-run}
    fi
    for file in "$state_dir"/*; do
        # Those at engines have files here too, by other names.
        [[ -f $file && ${file##*/} != *:* ]] && printf '%s\n' "${file##*/}"
    done
}

# The ids of the runs in the state directory.
_finally_run_runs() {
    finally-run ${1:+--state-dir "$1"} --status --json 2>/dev/null |
        grep -oE '"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}"' | tr -d '"'
}

# Completes the wrapped command, whose first word is number $1, as if it stood alone.
_finally_run_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
    else
        compopt -o default # file names, as for a command that bash knows nothing of
    fi
}

_finally_run() {
    # The blanks at both ends matter: names are found as " name ".
    local take_a_value=' -c --cleanup --cleanup-anywhere --on-success --on-failure -r --remove --temp-dir -s --setup --service --ready --ready-timeout'
    take_a_value+=' --service-exit -l --lock --lock-shared'
    take_a_value+=' --lock-ttl -w --wait -E --conflict-exit-code -t --timeout --signal --rewrite -k --grace --cleanup-timeout'
    take_a_value+=' --cleanup-retries --orphans --stop-with-caller --state-dir --keep-env --failed-cleanups --defer'
    take_a_value+=' --report --ci '
    local take_none=' -n --no-wait --preserve-status --dry-run --durable --strict --status --json --recover --stop --forget'
    take_none+=' --all-users -q --quiet -v --verbose -h --help --version '
    local may_have_colons=' --rewrite --ready -l --lock --lock-shared '

    local cur=${COMP_WORDS[COMP_CWORD]} action='' option='' last='' before_colon='' equals_seen='' state_dir='' word i j
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $option ]]; then
            # bash makes three words of an option with =value.
            if [[ $word == = && -z $equals_seen && $option == --* ]]; then
                equals_seen=1
                continue
            fi
            [[ $option == --state-dir ]] && state_dir=${word/#~\//$HOME/}
            last=$option option='' before_colon='' equals_seen=''
        elif [[ $may_have_colons == *" $last "* && $word == +(:) ]]; then
            option=$last before_colon=${COMP_WORDS[i - 1]} # FROM:TO is three words too
        elif [[ $word == -- && -z $action ]]; then
            _finally_run_command $((i + 1))
            return
        elif [[ $word == --* ]]; then
            last=''
            [[ $word == --defer || $word == --status || $word == --recover || $word == --stop || $word == --forget ]] && action=$word
            [[ $take_a_value == *" $word "* ]] && option=$word
        elif [[ $word == -?* ]]; then
            last=''
            for ((j = 1; j < ${#word}; j++)); do
                if [[ $take_a_value == *" -${word:j:1} "* ]]; then
                    ((j == ${#word} - 1)) && option=-${word:j:1}
                    break
                fi
            done
        elif [[ -z $action ]]; then
            _finally_run_command "$i"
            return
        fi
    done

    if [[ -z $option && $may_have_colons == *" $last "* && $cur == +(:) ]]; then
        option=$last before_colon=${COMP_WORDS[COMP_CWORD - 1]} cur=''
    fi
    if [[ -z $option ]]; then
        if [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$take_a_value $take_none" -- "$cur")
        elif [[ $action == --recover || $action == --stop || $action == --forget ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$(_finally_run_runs "$state_dir")" -- "$cur")
        elif [[ -z $action ]]; then
            _finally_run_command "$COMP_CWORD"
        fi
        return
    fi

    [[ $cur == = && -z $equals_seen && $option == --* ]] && cur=''
    case $option in
        -c | --cleanup | --cleanup-anywhere | -s | --setup | --service | --on-success | --on-failure | --defer)
            mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
        --ready)
            if [[ $before_colon == unix || $before_colon == file ]]; then
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            elif [[ -z $before_colon && -z $cur ]]; then
                mapfile -t COMPREPLY < <(compgen -W 'tcp: unix: file:')
                compopt -o nospace
            elif [[ -z $before_colon ]]; then
                mapfile -t COMPREPLY < <(compgen -c -W 'tcp: unix: file:' -- "$cur")
                if [[ ${COMPREPLY[*]} == *: ]]; then
                    compopt -o nospace
                fi
            fi ;;
        -r | --remove | --report)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        --state-dir)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        -l | --lock | --lock-shared)
            compopt -o filenames
            if [[ -n $before_colon ]]; then
                : # ENGINE:NAME, and nobody knows the names
            elif [[ $cur == */* || $cur == '~'* ]]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            else
                local IFS=$'\n'
                mapfile -t COMPREPLY < <(compgen -W "$(_finally_run_locks "$state_dir")" -- "$cur")
            fi ;;
        --temp-dir)
            mapfile -t COMPREPLY < <(compgen -v -- "$cur") ;;
        --keep-env)
            mapfile -t COMPREPLY < <(compgen -v -W none -- "$cur") ;;
        --signal | --rewrite)
            local signals='HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP'
            signals+=' TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS RTMIN RTMAX'
            mapfile -t COMPREPLY < <(compgen -W "$signals" -- "$cur") ;;
        --service-exit)
            mapfile -t COMPREPLY < <(compgen -W 'report stop' -- "$cur") ;;
        --orphans)
            mapfile -t COMPREPLY < <(compgen -W 'leave wait kill' -- "$cur") ;;
        --failed-cleanups)
            mapfile -t COMPREPLY < <(compgen -W 'keep drop' -- "$cur") ;;
        --stop-with-caller)
            mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur") ;;
        --ci)
            mapfile -t COMPREPLY < <(compgen -W 'auto github gitlab none' -- "$cur") ;;
    esac
}

complete -F _finally_run finally-run
