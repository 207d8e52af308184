//! Functions that glibc and libgcc have under the same name, with the same numbers and structures.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::LazyLock;

/// Functions that set `errno` when they fail.
const FAILING: &str = "
    alarm chdir chmod chown chroot close closedir dirfd dup dup2 fchdir fchmod fchown flock fsync ftruncate getcwd
    gethostname getpid getppid getpriority isatty lchown link listen lseek mkdir
    mkdtemp mkfifo mkstemp mprotect munmap nanosleep nice pause pipe pread preadv pwrite pwritev read readv rename rmdir
    sched_yield setenv setpriority shutdown sleep
    socketpair symlink sync truncate ttyname umask unlink unsetenv usleep write writev
    fflush fwrite getentropy perror ptsname
";

/// Functions that don't set it, and those that take more arguments than registers hold.
const PLAIN: &str = "
    abort abs aligned_alloc atoi atol bsearch calloc free getdtablesize getenv malloc posix_memalign qsort rand realloc
    srand memccpy memchr memcmp memcpy memmem memmove memrchr memset stpcpy strcasecmp strcat strchr strcmp strcpy strcspn
    strdup strlen strncasecmp strncat strncmp strncpy strndup strnlen strrchr strspn strstr strtok_r strtol strtoll
    strtoul strtoull
    clock difftime gmtime gmtime_r localtime localtime_r mktime strftime time timegm times tzset
    pthread_attr_destroy pthread_attr_getstacksize pthread_attr_init pthread_attr_setdetachstate
    pthread_attr_setstacksize pthread_cond_init pthread_condattr_destroy pthread_condattr_init pthread_create
    pthread_detach pthread_equal pthread_exit pthread_join pthread_mutex_init pthread_mutexattr_destroy
    pthread_mutexattr_init pthread_rwlock_init pthread_self
    fprintf fputc fputs printf putchar puts snprintf vsnprintf
    acos asin atan atan2 cbrt ceil cos exp exp2 expm1 floor fma fmod frexp hypot ldexp log log10 log1p log2 pow rint
    round sin sqrt tan trunc
    _Unwind_Backtrace _Unwind_DeleteException _Unwind_FindEnclosingFunction _Unwind_ForcedUnwind _Unwind_GetCFA
    _Unwind_GetDataRelBase _Unwind_GetGR _Unwind_GetIP _Unwind_GetIPInfo _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_RaiseException _Unwind_Resume _Unwind_Resume_or_Rethrow
    _Unwind_SetGR _Unwind_SetIP __cxa_atexit
    __divti3 __modti3 __udivti3 __umodti3 __fixdfti __fixunsdfti __floattidf __floatuntidf
";

/// The address, or 0; and true if the function sets `errno`.
pub fn find(name: &str) -> (usize, bool) {
    static LIST: LazyLock<HashMap<&str, bool>> = LazyLock::new(|| {
        // glibc's mathematics is a library of its own, which macsim itself doesn't use.
        // SAFETY: a library without initialisers of its own.
        unsafe { libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        let plain = PLAIN.split_whitespace().map(|name| (name, false));
        let failing = FAILING.split_whitespace().map(|name| (name, true));
        plain.chain(failing).collect()
    });
    let Some(&sets_errno) = LIST.get(name) else {
        return (0, false);
    };
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: a string of our own.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (address as usize, sets_errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_through_is_there() {
        for name in PLAIN.split_whitespace().chain(FAILING.split_whitespace()) {
            assert_ne!(find(name).0, 0, "{name}");
        }
        assert_eq!(find("gets").0, 0);
    }
}
