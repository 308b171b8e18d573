# Completion of finally-run for fish.

# Prints the words of the wrapped command, the one being typed included. Fails while options are still being typed.
function __finally_run_command_words
    set -l short_with_value c r s l w E t k
    set -l long_with_value cleanup cleanup-anywhere on-success on-failure remove temp-dir setup service ready ready-timeout service-exit lock lock-shared lock-ttl wait \
        conflict-exit-code timeout signal rewrite grace cleanup-timeout cleanup-retries orphans stop-with-caller state-dir keep-env failed-cleanups \
        defer report ci
    set -l words (commandline -opc) (commandline -ct)
    set -e words[1]
    while set -q words[1]
        set -l word $words[1]
        switch $word
            case --
                set -e words[1]
                break
            case '--defer*' --status --recover --stop --forget
                return 1
            case '--*'
                contains -- (string sub --start 3 -- $word) $long_with_value
                and set -e words[1]
            case -
                # A command's name, unless an option is about to be typed.
                set -q words[2]
                and break
            case '-*'
                # Flags may stand before the letter that takes a value: -qnc CMD.
                for i in (seq 2 (string length -- $word))
                    if contains -- (string sub --start $i --length 1 -- $word) $short_with_value
                        test $i -eq (string length -- $word)
                        and set -e words[1]
                        break
                    end
                end
            case '*'
                break
        end
        set -e words[1]
    end
    set -q words[1]
    or return 1
    printf '%s\n' $words
end

function __finally_run_complete_command
    set -l words (__finally_run_command_words)
    and __fish_complete_subcommand --commandline $words
end

# The state directory that the options name, if they do.
function __finally_run_given_state_dir
    set -l words (commandline -opc)
    for i in (seq (count $words))
        switch $words[$i]
            case --state-dir
                set -q words[(math $i + 1)]
                and echo $words[(math $i + 1)]
            case '--state-dir=*'
                string replace -- --state-dir= '' $words[$i]
        end
    end
end

# The names of the locks in the state directory: finally-run's own files there begin with a dot.
function __finally_run_locks
    set -l state_dir $HOME/.local/state/finally-run
    test -n "$XDG_STATE_HOME"
    and set state_dir $XDG_STATE_HOME/finally-run
    test -n "$FINALLY_RUN_STATE_DIR"
    and set state_dir $FINALLY_RUN_STATE_DIR
    set -l given (__finally_run_given_state_dir)
    set -q given[1]
    and set state_dir $given[-1]
    for file in $state_dir/*
        # Those at engines have files here too, by other names.
        test -f $file
        and string match -v '*:*' -- (string replace -r '.*/' '' -- $file)
    end
end

# Are the words ids of runs?
function __finally_run_takes_runs
    __finally_run_command_words >/dev/null
    and return 1
    set -l words (commandline -opc)
    contains -- --recover $words
    or contains -- --stop $words
    or contains -- --forget $words
end

# The ids of the runs in the state directory.
function __finally_run_runs
    set -l given (__finally_run_given_state_dir)
    set -q given[1]
    and set given --state-dir $given[-1]
    command finally-run $given --status --json 2>/dev/null |
        string match -a -r '"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}"' | string trim -c '"'
end

complete -c finally-run -f -n __finally_run_takes_runs -a '(__finally_run_runs)'
complete -c finally-run -f -n __finally_run_command_words -a '(__finally_run_complete_command)'

set -l signals HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN \
    TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS RTMIN RTMAX
set -l option complete -c finally-run -n 'not __finally_run_command_words >/dev/null'

$option -s c -l cleanup -x -a '(__fish_complete_command)' -d 'Run CMD at the end, whatever happens'
$option -l cleanup-anywhere -x -a '(__fish_complete_command)' -d 'The same; first too, if the last holder left'
$option -l on-success -x -a '(__fish_complete_command)' -d 'Run CMD at the end if all went well'
$option -l on-failure -x -a '(__fish_complete_command)' -d 'Run CMD at the end if it did not'
$option -s r -l remove -r -F -d 'Remove this file or tree at the end'
$option -l temp-dir -x -a '(set --names)' -d 'Make a private directory, named by this variable'
$option -s s -l setup -x -a '(__fish_complete_command)' -d 'Run CMD now, before what follows'
$option -l service -x -a '(__fish_complete_command)' -d 'Start CMD now, stop it at the end'
$option -l ready -x -a 'tcp: unix: file:' -d 'Wait for the service before it'
$option -l ready-timeout -x -d 'Limit on that wait'
$option -l service-exit -x -a 'report stop' -d 'If one ends while the command runs'
$option -s l -l lock -r -F -a '(__finally_run_locks)' -d 'Take this lock'
$option -l lock-shared -r -F -a '(__finally_run_locks)' -d 'Take it together with other sharers'
$option -l lock-ttl -x -d 'Until a vanished machine loses a shared lock'
$option -s w -l wait -x -d 'Wait this long for all the locks'
$option -s n -l no-wait -f -d 'Do not wait for a lock'
$option -s E -l conflict-exit-code -x -d 'Status if a lock cannot be had'
$option -s t -l timeout -x -d 'Stop the command after this'
$option -l signal -x -a "$signals" -d 'What stops it first'
$option -l rewrite -x -d 'Pass signal FROM on as TO (0: drop it)'
$option -l preserve-status -f -d 'After a time limit, its own status'
$option -s k -l grace -x -d 'From the stop signal to SIGKILL'
$option -l cleanup-timeout -x -d 'Limit on each cleanup'
$option -l cleanup-retries -x -d 'Try a failed cleanup again'
$option -l orphans -x -a 'leave wait kill' -d 'Processes left behind'
$option -l stop-with-caller -x -a 'auto always never' -d 'Stop when our caller is gone'
$option -l state-dir -x -a '(__fish_complete_directories)' -d 'Where locks and unfinished runs live'
$option -l keep-env -x -a '(set --names)' -d 'Secrets to store for recovery too'
$option -l dry-run -f -d 'Say what would happen, and do nothing'
$option -l durable -f -d 'Survive a power loss, at the cost of time'
$option -l strict -f -d 'A failed cleanup makes success status 120'
$option -l failed-cleanups -x -a 'keep drop' -d 'To try them again'
$option -l defer -x -a '(__fish_complete_command)' -d 'Inside a run: register one more cleanup'
$option -l status -f -d 'Show runs and locks'
$option -l json -f -d 'With --status: for programs'
$option -l all-users -f -d 'With --status, as root: of every user'
$option -l recover -f -d 'Finish dead runs, all or these'
$option -l stop -f -d 'End live runs, or the cleanup that hangs'
$option -l forget -f -d 'Drop dead runs, cleanups and all'
$option -l report -r -F -d 'Write a JSON report at the end'
$option -l ci -x -a 'auto github gitlab none' -d 'Whose log format to use'
$option -s q -l quiet -f -d 'Say less'
$option -s v -l verbose -f -d 'Say more'
$option -s h -l help -f -d 'Show this help'
$option -l version -f -d 'Show the version'
