#!/bin/sh
# Looks into the unstripped release binary: binary.sh BINARY OWN_START.
set -eu
binary=$1 own_start=$2
failed=0

fail() {
    echo "$binary: $1" >&2
    failed=1
}

symbols=$(nm -C "$binary")
headers=$(readelf --wide --file-header --program-headers --dynamic "$binary")

has() {
    printf '%s\n' "$1" | grep -qE -- "$2"
}

# Without symbols every look for a symbol would be content.
has "$symbols" ' T main$' || fail 'has no symbols: nothing can be found out about it'
# CLI11's headers include <iostream>, in the one file that has them; each further file would run its initialiser again.
initialisers=$(printf '%s\n' "$symbols" | grep -c 'std::__ioinit$') || true
[ "$initialisers" -le 1 ] || fail "initialises iostream $initialisers times at each start"

has "$headers" 'Type: +EXEC' || fail 'is position-independent: it relocates itself at each start'
has "$headers" '^ +INTERP ' && fail 'is linked dynamically: it has an interpreter'
has "$headers" '\(NEEDED\)' && fail 'needs a shared library'
has "$headers" '^ +GNU_RELRO ' || fail 'is not linked with -z relro'
has "$headers" '^ +GNU_STACK .* RW +' || fail 'has an executable stack'
has "$symbols" '__stack_chk_fail' || fail 'has no stack protector'
# In a virtual machine each of the C library's questions to the processor costs as much as thirty system calls.
if [ "$own_start" = 1 ] && objdump --disassemble --no-show-raw-insn "$binary" | grep -qw cpuid; then
    fail 'asks the processor what it is at each start, or what does that is in it'
fi
exit "$failed"
