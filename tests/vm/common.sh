# shellcheck shell=bash
# What fetch, run, all and selftest share.

kernels=(6.1 6.12)
program_name=tests/vm/$(basename "$0")
stall_pattern='rcu: INFO: ' # it panics then

say() { printf '%s: %s\n' "$program_name" "$*" >&2; }

# fail STATUS LINE...: the message, its further lines indented, and the end.
fail() {
    local status=$1 line
    say "$2"
    shift 2
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit "$status"
}

verbose() { [[ ${V:-0} == 1 ]]; }

default_cache() {
    local user_cache=${XDG_CACHE_HOME:-${HOME:?neither NEARPOOL_VM_CACHE nor HOME is set}/.cache}
    printf '%s\n' "${NEARPOOL_VM_CACHE:-$user_cache/nearpool/vm}"
}

# pause SECONDS, without a process that would outlive us.
pause() {
    local never
    exec {never}<> <(:)
    read -r -t "$1" -u "$never" || true
}

# The comment block at the top of a script is its help.
print_help() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }
