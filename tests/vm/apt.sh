# shellcheck shell=bash
# Reads Debian's packages through an apt configuration of our own. Part of fetch; uses its $work.

mirror=${NEARPOOL_DEBIAN_MIRROR:-http://deb.debian.org/debian}

require_debian_tools() {
    local tool
    [[ $(uname -m) == x86_64 ]] || fail 1 "the machines are x86-64 and so must this one be; it is $(uname -m)"
    for tool in apt-get apt-cache apt-config dpkg flock; do
        command -v "$tool" >/dev/null || fail 1 "needs $tool, which Debian and its relatives have" \
            'on another system: run this script in a Debian container and set NEARPOOL_VM_CACHE to the folder it filled'
    done
}

debian_keyring() {
    local keyring
    for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        if [[ -e $keyring ]]; then printf '%s\n' "$keyring"; return; fi
    done
    fail 1 'the keys of the Debian archive are not here' 'install the package debian-archive-keyring'
}

# Sets suite, suites and target: all kernels 6.1 are bookworm's; QEMU and 6.12 are the target's.
choose_suite() {
    local codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    case $codename in
        trixie | forky | duke | sid) suite=trixie ;;
        *) suite=bookworm ;;
    esac
    suite=${NEARPOOL_VM_SUITE:-$suite}
    case $suite in
        bookworm) suites=(bookworm bookworm-backports) target=bookworm-backports ;;
        trixie) suites=(bookworm trixie) target=trixie ;;
        *) fail 2 "NEARPOOL_VM_SUITE is $suite" 'it can be bookworm or trixie' ;;
    esac
}

write_sources() {
    local keyring=$1 name
    for name in "${suites[@]}"; do
        printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$name"
    done
}

# An empty dpkg status: apt resolves all that a package needs, whatever is installed here. The user's proxies hold.
write_configuration() {
    cat <<END
Dir::Etc::main "/dev/null";
Dir::Etc::parts "$work/apt/empty";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$work/apt/empty";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "$work/apt/empty";
Dir::State "$work/apt/state";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Log "$work/apt/log";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Default-Release "$target";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
END
    apt-config dump | grep -iE '^Acquire::(https?::|ForceIPv|Check-Date |Check-Valid-Until )' || true
}

# quietly COMMAND...: its words are shown with V=1 or when it fails.
quietly() {
    if verbose; then "$@" >&2; return; fi
    if "$@" >"$work/log" 2>&1; then return; fi
    grep -E '^[EW]:' "$work/log" | head -n 5 >&2 || tail -n 5 "$work/log" >&2
    return 1
}

read_package_lists() {
    choose_suite
    local keyring
    keyring=$(debian_keyring)
    mkdir -p "$work"/apt/{empty,log,state/lists/partial,cache/archives/partial}
    : >"$work/apt/status"
    write_sources "$keyring" >"$work/apt/sources.list"
    write_configuration >"$work/apt/apt.conf"
    export APT_CONFIG=$work/apt/apt.conf
    say "package lists of ${suites[*]}"
    quietly apt-get update --error-on=any ||
        fail 1 "cannot read the package lists at $mirror" 'is the network there? V=1 shows all that apt says' \
            'a mirror is named with NEARPOOL_DEBIAN_MIRROR, a proxy with http_proxy or in the configuration of apt'
}

package_version() { apt-cache policy "$1" | awk '$1 == "Candidate:" { print $2 }'; }

# Names differ by release: 6.1.0-50-cloud-amd64, 6.12.95+deb12-cloud-amd64.
newest_kernel() {
    local pattern="^linux-image-${1//./\\.}\\.[0-9][-+.0-9a-z]*-cloud-amd64\$"
    apt-cache search --names-only "$pattern" | awk '{ print $1 }' | sort -V | tail -n 1
}

say_progress() {
    while pause 5; do say "  $(du -sm "$1" | cut -f1) MB so far"; done
}

# Says every five seconds how much has come.
watched() {
    local folder=$1 watcher status=0
    shift
    say_progress "$folder" &
    watcher=$!
    "$@" || status=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    return "$status"
}

download_failed() { fail 1 "cannot download $1" 'what is complete stays: run it again; V=1 shows all that apt says'; }

download() {
    local folder=$1 package=$2
    mkdir -p "$folder"
    (cd "$folder" && watched "$folder" quietly apt-get download "$package") || download_failed "$package"
}

download_with_dependencies() {
    local folder=$1 package=$2
    mkdir -p "$folder/partial"
    watched "$folder" quietly apt-get install --download-only -y -o Dir::Cache::archives="$folder" "$package" ||
        download_failed "$package"
}
