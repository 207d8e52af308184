//! What glibc and libgcc have under the same name, with the same numbers and structures.

use std::collections::HashSet;
use std::ffi::CString;
use std::sync::LazyLock;

const NAMES: &str = "
    abort abs alarm aligned_alloc atoi atol bsearch calloc chdir chmod chown chroot close closedir
    dirfd dup dup2 fchdir fchmod fchown flock free fsync ftruncate getcwd getdtablesize getenv
    getgroups gethostname getpgid getpgrp getpid getppid getpriority getsid initgroups isatty lchown link
    listen lseek malloc memccpy memchr memcmp memcpy memmem memmove memrchr memset mkdir mkdtemp mkfifo mkstemp mprotect
    munmap nanosleep nice pause pipe posix_memalign pread preadv ptsname pwrite pwritev qsort rand read readv realloc
    rename rmdir sched_yield setegid setenv seteuid setgid setgroups setpgid setpriority setregid setreuid setsid setuid
    shutdown sleep socketpair srand stpcpy strcasecmp strcat strchr strcmp strcpy strdup strlen strncasecmp strncat
    strncmp strncpy strndup strnlen strrchr strspn strcspn strstr strtok_r strtol strtoll strtoul strtoull symlink sync
    tcgetpgrp tcsetpgrp time times truncate ttyname umask unlink unsetenv usleep write writev
    gmtime_r localtime_r mktime timegm tzset strftime gmtime localtime difftime clock
    pthread_attr_destroy pthread_attr_init pthread_attr_setstacksize pthread_attr_getstacksize pthread_attr_setdetachstate
    pthread_create pthread_detach pthread_equal pthread_exit pthread_join pthread_self
    pthread_mutexattr_destroy pthread_mutexattr_init pthread_condattr_destroy pthread_condattr_init
    pthread_mutex_init pthread_cond_init pthread_rwlock_init
    snprintf vsnprintf printf fprintf puts putchar fputs fputc fwrite fflush perror
    getentropy sem_unlink
    sin cos tan asin acos atan atan2 exp exp2 expm1 log log2 log10 log1p pow sqrt cbrt floor ceil round trunc fmod
    hypot fma ldexp frexp rint
    _Unwind_Backtrace _Unwind_DeleteException _Unwind_FindEnclosingFunction _Unwind_ForcedUnwind _Unwind_GetCFA
    _Unwind_GetDataRelBase _Unwind_GetGR _Unwind_GetIP _Unwind_GetIPInfo _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_RaiseException _Unwind_Resume _Unwind_Resume_or_Rethrow
    _Unwind_SetGR _Unwind_SetIP __cxa_atexit
";

/// The address, or 0.
pub fn find(name: &str) -> usize {
    static LIST: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        // glibc's mathematics is a library of its own, which macsim itself needs nothing of.
        // SAFETY: a library without initialisers of its own.
        unsafe { libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        NAMES.split_whitespace().collect()
    });
    if !LIST.contains(name) {
        return 0;
    }
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: a string of our own.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_through_is_there() {
        for name in NAMES.split_whitespace() {
            assert_ne!(find(name), 0, "{name}");
        }
        assert_eq!(find("gets"), 0);
    }
}
