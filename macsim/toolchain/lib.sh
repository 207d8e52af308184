# shellcheck shell=sh
# The functions that setup and build share. Not to be run.

# Where Python's packages are put, unless they are installed already.
tools=${XDG_CACHE_HOME:-$HOME/.cache}/proctracer-toolchain
if [ -x "$tools/bin/cargo-zigbuild" ]; then PATH=$tools/bin:$PATH; fi

# Succeeds if the compiler in use has the library for a macOS architecture.
has_target() { libdir=$(rustc --print target-libdir --target "$1-apple-darwin" 2>/dev/null) && [ -d "$libdir" ]; }

# Succeeds if the distribution's compiler, its lints and its library's source are there.
has_source() {
    [ -d /usr/lib/rustlib/src/rust/library ] && [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] &&
        [ -x /usr/bin/cargo-clippy ]
}
