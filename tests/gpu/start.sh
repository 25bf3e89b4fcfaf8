#!/bin/sh
# Starts the program of this script's name with the bundle's own loader and C library, which go together: another
# machine's would crash. Then come the bundle's other libraries, and only then the folder of the driver, which opens
# further ones of its own. To the program this script is its name, so that a test that starts itself comes back here.
here=${0%/*}/..
program=$here/programs/${0##*/}
path=$here/lib${NEARPOOL_DRIVER_PATH:+:$NEARPOOL_DRIVER_PATH}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export HWLOC_PLUGINS_PATH="$here/lib" # this machine's would be of another version
if [ "${NEARPOOL_SYSTEM_LIBC:-no}" = yes ]; then
    LD_LIBRARY_PATH=$path exec "$program" "$@"
fi
exec "$here/libc/ld.so" --argv0 "$0" --library-path "$here/libc:$path" "$program" "$@"
