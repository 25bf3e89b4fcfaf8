# shellcheck shell=bash
# Builds the file system that a machine starts with. Every file keeps the path it has here, so that run paths and
# $ORIGIN hold. Part of run; uses its $image (a folder), $work, $cache, $folder, $program and $arguments, $environment,
# $added_files.

# Quotes each argument for the machine's sh.
quote() {
    local word
    for word in "$@"; do printf "'%s' " "${word//\'/\'\\\'\'}"; done
}

absolute() { printf '%s/%s\n' "$(cd "$(dirname "$1")" && pwd)" "$(basename "$1")"; }

copy_file() {
    local path=$1
    [[ -e $image$path ]] && return
    mkdir -p "$image$(dirname "$path")"
    cp -L "$path" "$image$path"
    # What debuggers read is most of a test program, and would fill the machine's small nodes.
    if [[ $(head -c 4 "$path") == $'\x7fELF' ]]; then
        strip --strip-debug "$image$path"
    fi
}

# The paths of all shared libraries that a program or library needs, its loader included; nothing for other files.
libraries_of() {
    local listing missing
    listing=$(ldd "$1" 2>/dev/null) || return 0
    missing=$(awk '/not found/ { print $1 }' <<<"$listing" | paste -sd' ')
    [[ -z $missing ]] || fail 125 "$1 needs $missing, not found here" 'ldd shows what it looks for'
    awk '$2 == "=>" && $3 ~ /^\// { print $3; next } $1 ~ /^\// { print $1 }' <<<"$listing"
}

copy_with_libraries() {
    local library libraries
    copy_file "$1"
    libraries=$(libraries_of "$1")
    for library in $libraries; do copy_file "$library"; done
}

add() {
    local file
    if [[ -d $1 ]]; then
        while IFS= read -r -d '' file; do copy_with_libraries "$file"; done < <(find -L "$(absolute "$1")" -type f -print0)
    else
        copy_with_libraries "$(absolute "$1")"
    fi
}

# A program is a file here, or a command of the machine's busybox.
add_program() {
    if [[ -f $program ]]; then
        program=$(absolute "$program")
        [[ -x $program ]] || fail 125 "$program cannot be executed" 'is it a program? chmod +x makes a script one'
        copy_with_libraries "$program"
    elif [[ $program == */* || ! -e $image/bin/$program ]]; then
        fail 125 "no program $program" 'it is a path to a file here, or a command of busybox such as sh'
    fi
}

write_command() {
    local setting
    printf '#!/bin/sh\n'
    for setting in "${environment[@]}"; do printf 'export %s\n' "${setting%%=*}=$(quote "${setting#*=}")"; done
    printf 'exec %s\n' "$(quote "$program" "${arguments[@]}")"
}

make_initramfs() {
    local file
    mkdir -p "$image"/{bin,proc,sys,dev,etc,nearpool}
    cp -a "$cache/busybox/bin/." "$image/bin/"
    cp "$folder/init" "$image/init"
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$image/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$image/etc/group"
    add_program
    for file in "${added_files[@]}"; do
        [[ -e $file ]] || fail 125 "no file $file to add"
        add "$file"
    done
    write_command >"$image/nearpool/command"
    chmod 755 "$image/init" "$image/nearpool/command"
    # Not compressed: QEMU loads it at once, while the emulated kernel would unpack about 20 MB a second.
    (cd "$image" && find . -print0 | "$image/bin/busybox" cpio -0 -o -H newc 2>/dev/null) >"$work/initramfs"
}
