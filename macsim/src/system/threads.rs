//! Threads: mutexes and conditions, thread-specific data, semaphores of libdispatch, unfair locks.
//!
//! macOS's types are at least as large as glibc's, and glibc's are stored in them. A static initialiser of macOS is a
//! signature in the first word, where glibc has the state of a lock; it is replaced when the object is first used.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_long, c_ulong, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use super::errno::to_mac;
use super::time::nanoseconds;
use super::{Export, functions};

const MUTEX: u32 = 0x32aa_aba7;
const MUTEX_FIRST_FIT: u32 = 0x32aa_aba3;
const MUTEX_RECURSIVE: u32 = 0x32aa_aba2;
const MUTEX_ERROR_CHECK: u32 = 0x32aa_aba1;
const CONDITION: u32 = 0x3cb0_b1bb;
const RWLOCK: u32 = 0x2da8_b3b4;

/// The first word of an object of the program.
fn word<'a, T>(object: *mut T) -> &'a AtomicU32 {
    // SAFETY: the program's object, aligned for words.
    unsafe { AtomicU32::from_ptr(object.cast()) }
}

/// Replaces a signature with glibc's initial state, which is all zero.
fn begin<T>(object: *mut T, signature: u32) -> *mut T {
    let word = word(object);
    if word.load(Ordering::Relaxed) == signature {
        _ = word.compare_exchange(signature, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
    object
}

type Mutex = *mut libc::pthread_mutex_t;

fn mutex(mutex: Mutex) -> Mutex {
    let word = word(mutex);
    let signature = word.load(Ordering::Relaxed);
    let kind = match signature {
        MUTEX | MUTEX_FIRST_FIT => libc::PTHREAD_MUTEX_NORMAL,
        MUTEX_RECURSIVE => libc::PTHREAD_MUTEX_RECURSIVE,
        MUTEX_ERROR_CHECK => libc::PTHREAD_MUTEX_ERRORCHECK,
        _ => return mutex,
    };
    // SAFETY: glibc has the kind at 16. Whoever comes first writes the same, and the state comes last.
    unsafe { AtomicU32::from_ptr(mutex.cast::<u32>().add(4)) }
        .store(kind as u32, Ordering::Relaxed);
    _ = word.compare_exchange(signature, 0, Ordering::AcqRel, Ordering::Relaxed);
    mutex
}

extern "C" fn pthread_mutex_lock(m: Mutex) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_mutex_lock(mutex(m)) })
}

extern "C" fn pthread_mutex_trylock(m: Mutex) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_mutex_trylock(mutex(m)) })
}

extern "C" fn pthread_mutex_unlock(m: Mutex) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_mutex_unlock(mutex(m)) })
}

extern "C" fn pthread_mutex_destroy(m: Mutex) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_mutex_destroy(mutex(m)) })
}

extern "C" fn pthread_mutexattr_settype(
    attributes: *mut libc::pthread_mutexattr_t,
    kind: c_int,
) -> c_int {
    let kind = match kind {
        1 => libc::PTHREAD_MUTEX_ERRORCHECK,
        2 => libc::PTHREAD_MUTEX_RECURSIVE,
        _ => libc::PTHREAD_MUTEX_NORMAL,
    };
    // SAFETY: as C asks of the caller.
    unsafe { libc::pthread_mutexattr_settype(attributes, kind) }
}

type Condition = *mut libc::pthread_cond_t;

extern "C" fn pthread_cond_signal(c: Condition) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::pthread_cond_signal(begin(c, CONDITION)) }
}

extern "C" fn pthread_cond_broadcast(c: Condition) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::pthread_cond_broadcast(begin(c, CONDITION)) }
}

extern "C" fn pthread_cond_destroy(c: Condition) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_cond_destroy(begin(c, CONDITION)) })
}

extern "C" fn pthread_cond_wait(c: Condition, m: Mutex) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_cond_wait(begin(c, CONDITION), mutex(m)) })
}

extern "C" fn pthread_cond_timedwait(
    c: Condition,
    m: Mutex,
    deadline: *const libc::timespec,
) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_cond_timedwait(begin(c, CONDITION), mutex(m), deadline) })
}

extern "C" fn pthread_cond_timedwait_relative_np(
    c: Condition,
    m: Mutex,
    wait: *const libc::timespec,
) -> c_int {
    // SAFETY: the caller's structure.
    let wait = unsafe { *wait };
    let deadline = after(wait.tv_sec, wait.tv_nsec);
    pthread_cond_timedwait(c, m, &raw const deadline)
}

/// The time of day after this duration, or the latest time that can be expressed.
fn after(seconds: i64, nanoseconds_more: c_long) -> libc::timespec {
    let now = nanoseconds(libc::CLOCK_REALTIME);
    let nanoseconds = now % 1_000_000_000 + nanoseconds_more.clamp(0, 999_999_999) as u64;
    let seconds = seconds
        .max(0)
        .saturating_add((now / 1_000_000_000 + nanoseconds / 1_000_000_000) as i64);
    libc::timespec {
        tv_sec: seconds,
        tv_nsec: (nanoseconds % 1_000_000_000) as c_long,
    }
}

type RwLock = *mut libc::pthread_rwlock_t;

extern "C" fn pthread_rwlock_rdlock(lock: RwLock) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_rwlock_rdlock(begin(lock, RWLOCK)) })
}

extern "C" fn pthread_rwlock_wrlock(lock: RwLock) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_rwlock_wrlock(begin(lock, RWLOCK)) })
}

extern "C" fn pthread_rwlock_tryrdlock(lock: RwLock) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_rwlock_tryrdlock(begin(lock, RWLOCK)) })
}

extern "C" fn pthread_rwlock_trywrlock(lock: RwLock) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_rwlock_trywrlock(begin(lock, RWLOCK)) })
}

extern "C" fn pthread_rwlock_unlock(lock: RwLock) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_rwlock_unlock(begin(lock, RWLOCK)) })
}

extern "C" fn pthread_rwlock_destroy(lock: RwLock) -> c_int {
    // SAFETY: as C asks of the caller.
    to_mac(unsafe { libc::pthread_rwlock_destroy(begin(lock, RWLOCK)) })
}

extern "C" fn pthread_setname_np(name: *const c_char) -> c_int {
    // SAFETY: the caller's string; Linux takes 15 bytes of it.
    unsafe {
        let mut short: [c_char; 16] = [0; 16];
        libc::strncpy(short.as_mut_ptr(), name, 15);
        libc::pthread_setname_np(libc::pthread_self(), short.as_ptr())
    }
}

extern "C" fn pthread_threadid_np(_: libc::pthread_t, id: *mut u64) -> c_int {
    // SAFETY: the caller's variable.
    unsafe { id.write(libc::gettid() as u64) };
    0
}

/// The address and the size of a thread's stack.
fn stack(thread: libc::pthread_t) -> (*mut c_void, usize) {
    // SAFETY: variables of our own, and a thread that is alive.
    unsafe {
        let mut attributes = std::mem::zeroed();
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        if libc::pthread_getattr_np(thread, &raw mut attributes) == 0 {
            libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size);
            libc::pthread_attr_destroy(&raw mut attributes);
        }
        (start, size)
    }
}

extern "C" fn pthread_get_stacksize_np(thread: libc::pthread_t) -> usize {
    stack(thread).1
}

/// On macOS this is the start of the stack: its highest address.
extern "C" fn pthread_get_stackaddr_np(thread: libc::pthread_t) -> *mut c_void {
    let (start, size) = stack(thread);
    start.wrapping_byte_add(size)
}

type Destructor = extern "C" fn(*mut c_void);

extern "C" fn pthread_key_create(key: *mut c_ulong, destructor: Option<Destructor>) -> c_int {
    let mut own = 0;
    // SAFETY: as C asks of the caller; the two types of a function differ in nothing.
    unsafe {
        let destructor = std::mem::transmute::<
            Option<Destructor>,
            Option<unsafe extern "C" fn(*mut c_void)>,
        >(destructor);
        let result = libc::pthread_key_create(&raw mut own, destructor);
        key.write(own.into());
        to_mac(result)
    }
}

extern "C" fn pthread_key_delete(key: c_ulong) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::pthread_key_delete(key as libc::pthread_key_t) }
}

extern "C" fn pthread_getspecific(key: c_ulong) -> *mut c_void {
    // SAFETY: as C asks of the caller.
    unsafe { libc::pthread_getspecific(key as libc::pthread_key_t) }
}

extern "C" fn pthread_setspecific(key: c_ulong, value: *const c_void) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::pthread_setspecific(key as libc::pthread_key_t, value) }
}

/// Destructors of a thread's variables.
#[derive(Default)]
struct Destructors(RefCell<Vec<(Destructor, *mut c_void)>>);

impl Destructors {
    /// The last one registered runs first; a destructor may register another.
    fn run(&self) {
        loop {
            let Some((destructor, object)) = self.0.borrow_mut().pop() else {
                return;
            };
            destructor(object);
        }
    }
}

impl Drop for Destructors {
    fn drop(&mut self) {
        self.run();
    }
}

thread_local! {
    static DESTRUCTORS: Destructors = Destructors::default();
}

extern "C" fn _tlv_atexit(destructor: Destructor, object: *mut c_void) {
    let late =
        DESTRUCTORS.try_with(|destructors| destructors.0.borrow_mut().push((destructor, object)));
    if late.is_err() {
        destructor(object); // the thread's own are already over
    }
}

/// Runs this thread's destructors: `exit` does so for the thread that calls it.
pub fn run_destructors() {
    _ = DESTRUCTORS.try_with(Destructors::run);
}

type Semaphore = *mut libc::sem_t;

extern "C" fn dispatch_semaphore_create(value: isize) -> Semaphore {
    // SAFETY: new memory of our own.
    unsafe {
        let semaphore = libc::malloc(size_of::<libc::sem_t>()).cast::<libc::sem_t>();
        if !semaphore.is_null() {
            libc::sem_init(semaphore, 0, value as u32);
        }
        semaphore
    }
}

extern "C" fn dispatch_semaphore_signal(semaphore: Semaphore) -> isize {
    // SAFETY: as C asks of the caller.
    unsafe { libc::sem_post(semaphore) as isize }
}

const FOREVER: u64 = u64::MAX;

extern "C" fn dispatch_semaphore_wait(semaphore: Semaphore, deadline: u64) -> isize {
    let time = libc::timespec {
        tv_sec: (deadline / 1_000_000_000) as i64,
        tv_nsec: (deadline % 1_000_000_000) as c_long,
    };
    loop {
        // SAFETY: as C asks of the caller.
        let result = unsafe {
            match deadline {
                FOREVER => libc::sem_wait(semaphore),
                _ => libc::sem_timedwait(semaphore, &raw const time),
            }
        };
        // SAFETY: this thread's errno.
        if result == 0 || unsafe { *libc::__errno_location() } != libc::EINTR {
            return result as isize;
        }
    }
}

/// A deadline, which is in nanoseconds of the time of day here.
extern "C" fn dispatch_time(when: u64, delta: i64) -> u64 {
    match when {
        FOREVER => FOREVER,
        0 => nanoseconds(libc::CLOCK_REALTIME).saturating_add_signed(delta),
        _ => when.saturating_add_signed(delta),
    }
}

/// Semaphores are the only objects, and nobody retains them.
extern "C" fn dispatch_release(object: *mut c_void) {
    // SAFETY: made by malloc.
    unsafe { libc::free(object) };
}

/// Waits for or wakes an unfair lock: 0 is free, 1 is taken, 2 is taken and waited for.
fn futex(lock: &AtomicU32, operation: c_int, value: u32) {
    let none = std::ptr::null::<libc::timespec>();
    // SAFETY: the lock's own word; the kernel compares before it waits.
    unsafe { libc::syscall(libc::SYS_futex, lock.as_ptr(), operation, value, none) };
}

extern "C" fn os_unfair_lock_lock(lock: *mut u32) {
    let lock = word(lock);
    if lock
        .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
        .is_ok()
    {
        return;
    }
    while lock.swap(2, Ordering::Acquire) != 0 {
        futex(lock, libc::FUTEX_WAIT, 2);
    }
}

extern "C" fn os_unfair_lock_unlock(lock: *mut u32) {
    let lock = word(lock);
    if lock.swap(0, Ordering::Release) == 2 {
        futex(lock, libc::FUTEX_WAKE, 1);
    }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        _tlv_atexit,
        dispatch_release,
        dispatch_semaphore_create,
        dispatch_semaphore_signal,
        dispatch_semaphore_wait,
        dispatch_time,
        os_unfair_lock_lock,
        os_unfair_lock_unlock,
        pthread_cond_broadcast,
        pthread_cond_destroy,
        pthread_cond_signal,
        pthread_cond_timedwait,
        pthread_cond_timedwait_relative_np,
        pthread_cond_wait,
        pthread_get_stackaddr_np,
        pthread_get_stacksize_np,
        pthread_getspecific,
        pthread_key_create,
        pthread_key_delete,
        pthread_mutex_destroy,
        pthread_mutex_lock,
        pthread_mutex_trylock,
        pthread_mutex_unlock,
        pthread_mutexattr_settype,
        pthread_rwlock_destroy,
        pthread_rwlock_rdlock,
        pthread_rwlock_tryrdlock,
        pthread_rwlock_trywrlock,
        pthread_rwlock_unlock,
        pthread_rwlock_wrlock,
        pthread_setname_np,
        pthread_setspecific,
        pthread_threadid_np,
    ]
    .to_vec()
}
