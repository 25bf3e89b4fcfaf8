# shellcheck shell=bash disable=SC2034
# The caller that has nearpool as a subproject of meson, and its bad samples. Part of bindings/run; uses its $source,
# $here, $build and limited.

# As a subproject nearpool is configured as its library alone, and dependency('nearpool') finds it there. The program is
# compiled and linked by the commands that meson wrote for it. The library stands where they look for it already: another
# build of the same source would prove nothing more, and take a minute.
caller_subproject() {
    configure_parent "$source"
    expect_library_alone
    put_library_of "$build"
    ninja -C out worker_pool.p/worker_pool.c.o
    (cd out && bash -c "$(ninja -t commands -s worker_pool)")
    limited out/worker_pool
}

# The parent of a copy of nearpool, configured in out. Neither the staged nearpool nor one that the system has counts.
configure_parent() { # nearpool's source
    unset PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_PATH LD_LIBRARY_PATH
    mkdir subprojects
    cp "$here/subproject/meson.build" "$source/docs/examples/worker_pool.c" .
    ln -s "$1" subprojects/nearpool
    meson setup --force-fallback-for=nearpool out
}

expect_library_alone() {
    meson introspect --targets out | names_in >targets
    printf '%s\n' nearpool nearpool_static worker_pool | diff --label expected --label configured -u - targets
    meson introspect --tests out | names_in >tests
    diff --label 'no tests' --label configured -u /dev/null tests
}

names_in() { python3 -c 'import json, sys; [print(each["name"]) for each in json.load(sys.stdin)]' | sort; }

put_library_of() { # build folder
    mkdir -p out/subprojects/nearpool/src
    cp -a "$1"/src/libnearpool.so* out/subprojects/nearpool/src/
}

# A copy of what meson reads, and the C and C++ files that it looks for, with one change to meson.build.
changed_nearpool() { # sed expression
    mkdir nearpool
    cp -r "$source"/{meson.build,meson_options.txt,include,src,pkgconfig,docs,tests} nearpool
    sed -i "$1" nearpool/meson.build
    configure_parent "$PWD/nearpool"
    expect_library_alone
}

bad_tests_in_a_subproject() { changed_nearpool 's/if not meson.is_subproject()/if true/'; }
complaint_tests_in_a_subproject='^+nearpool_contract'

bad_no_override() { changed_nearpool '/meson.override_dependency/d'; }
complaint_no_override='Dependency.*nearpool.*not'
