//! Information that a program asks the system for: its version, its limits.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};

use super::errno::fail;
use super::{Export, functions, identity, put_string};
use crate::settings;
use crate::versions::Version;

/// The value of a `sysctl` name.
enum Value {
    Text(String),
    Int(i32),
    Long(i64),
}

fn pages() -> i64 {
    // SAFETY: always possible.
    unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) }
}

fn processors() -> i64 {
    // SAFETY: always possible.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }
}

fn value(name: &str) -> Option<Value> {
    let macos = settings::get().macos;
    Some(match name {
        "kern.osproductversion" => {
            Value::Text(settings::get().reported_macos.unwrap_or(macos).to_string())
        }
        "kern.osrelease" => Value::Text(darwin(macos)),
        "kern.ostype" => Value::Text("Darwin".into()),
        "kern.osversion" => Value::Text(build(macos)),
        "kern.version" => Value::Text(format!(
            "Darwin Kernel Version {}: simulated",
            darwin(macos)
        )),
        "kern.hostname" => Value::Text("simulated.local".into()),
        "hw.machine" => Value::Text("x86_64".into()),
        "hw.model" => Value::Text("Simulated1,1".into()),
        "kern.argmax" => Value::Int(1_048_576),
        "kern.maxfilesperproc" => Value::Int(61_440),
        "hw.ncpu" | "hw.logicalcpu" | "hw.physicalcpu" | "hw.activecpu" => {
            Value::Int(processors() as i32)
        }
        "hw.pagesize" => Value::Long(4096),
        "hw.memsize" => Value::Long(pages() * 4096),
        "sysctl.proc_translated" | "hw.optional.arm64" => Value::Int(0),
        _ => return None,
    })
}

/// The version of Darwin in a macOS; since 27 it is the same number. Patches of macOS don't change it.
fn darwin(Version([major, minor, _]): Version) -> String {
    let (major, minor) = match major {
        10 => (minor + 4, 6),
        // macOS 13.0 has Darwin 22.1, and 13.5 and 13.6 have 22.6.
        11..=13 => (major + 9, (minor + 1).min(6)),
        14..=25 => (major + 9, minor),
        26 => (25, minor),
        _ => (major, minor),
    };
    format!("{major}.{minor}.0")
}

/// A build number of the usual form.
fn build(macos: Version) -> String {
    let darwin = darwin(macos);
    let major = darwin.split('.').next().unwrap_or_default();
    format!("{major}{}100", char::from(b'A' + macos.0[1] as u8 % 26))
}

fn answer(value: Option<Value>, output: *mut c_void, size: *mut usize) -> c_int {
    let bytes = match value {
        Some(Value::Text(text)) => [text.as_bytes(), b"\0"].concat(),
        Some(Value::Int(number)) => number.to_le_bytes().to_vec(),
        Some(Value::Long(number)) => number.to_le_bytes().to_vec(),
        None => return fail(libc::ENOENT),
    };
    // SAFETY: the caller's buffer and its size, NULL allowed.
    unsafe {
        if let Some(size) = size.as_mut() {
            let room = std::mem::replace(size, bytes.len());
            if !output.is_null() {
                if room < bytes.len() {
                    return fail(libc::ENOMEM);
                }
                output
                    .cast::<u8>()
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
        }
    }
    0
}

extern "C" fn sysctlbyname(
    name: *const c_char,
    output: *mut c_void,
    size: *mut usize,
    _: *const c_void,
    _: usize,
) -> c_int {
    // SAFETY: a string of the caller's.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
    answer(value(name), output, size)
}

extern "C" fn sysconf(name: c_int) -> c_long {
    match name {
        1 => 1_048_576,          // _SC_ARG_MAX
        3 => 100,                // _SC_CLK_TCK
        4 => 16,                 // _SC_NGROUPS_MAX
        5 => open_files(),       // _SC_OPEN_MAX
        29 | 70 | 71 => 4096,    // _SC_PAGESIZE, _SC_GETGR_R_SIZE_MAX, _SC_GETPW_R_SIZE_MAX
        56 => 1024,              // _SC_IOV_MAX
        57 | 58 => processors(), // _SC_NPROCESSORS_CONF, _SC_NPROCESSORS_ONLN
        72 => 255,               // _SC_HOST_NAME_MAX
        200 => pages(),          // _SC_PHYS_PAGES
        _ => fail(libc::EINVAL).into(),
    }
}

fn open_files() -> c_long {
    // SAFETY: always possible.
    unsafe { libc::sysconf(libc::_SC_OPEN_MAX) }
}

extern "C" fn confstr(name: c_int, buffer: *mut c_char, size: usize) -> usize {
    let text = match name {
        1 => "/usr/bin:/bin:/usr/sbin:/sbin".to_string(), // _CS_PATH
        65536 => own_folder("0"),                         // _CS_DARWIN_USER_DIR
        65537 => own_folder("T"),                         // _CS_DARWIN_USER_TEMP_DIR
        65538 => own_folder("C"),                         // _CS_DARWIN_USER_CACHE_DIR
        _ => {
            fail(libc::EINVAL);
            return 0;
        }
    };
    put_string(buffer, size, text.as_bytes());
    text.len() + 1
}

/// A folder of the user's own; macOS makes it if it doesn't exist yet.
fn own_folder(name: &str) -> String {
    let user = identity::effective_user();
    let folder = format!("/tmp/macsim-folders/{user}/{name}/");
    _ = std::fs::create_dir_all(&folder); // the program finds out when it uses it
    folder
}

/// Linux's resource for macOS's.
fn resource(resource: c_int) -> Option<libc::__rlimit_resource_t> {
    Some(match resource & 0xff {
        0 => libc::RLIMIT_CPU,
        1 => libc::RLIMIT_FSIZE,
        2 => libc::RLIMIT_DATA,
        3 => libc::RLIMIT_STACK,
        4 => libc::RLIMIT_CORE,
        5 => libc::RLIMIT_AS,
        6 => libc::RLIMIT_MEMLOCK,
        7 => libc::RLIMIT_NPROC,
        8 => libc::RLIMIT_NOFILE,
        _ => return None,
    })
}

/// macOS's infinity fits a signed number.
const INFINITY: u64 = u64::MAX >> 1;

extern "C" fn getrlimit(which: c_int, limit: *mut libc::rlimit) -> c_int {
    let Some(resource) = resource(which) else {
        return fail(libc::EINVAL);
    };
    // SAFETY: as C asks of the caller.
    unsafe {
        let result = libc::getrlimit(resource, limit);
        if result == 0 {
            (*limit).rlim_cur = (*limit).rlim_cur.min(INFINITY);
            (*limit).rlim_max = (*limit).rlim_max.min(INFINITY);
        }
        result
    }
}

extern "C" fn setrlimit(which: c_int, limit: *const libc::rlimit) -> c_int {
    let Some(resource) = resource(which) else {
        return fail(libc::EINVAL);
    };
    let convert = |limit: u64| {
        if limit >= INFINITY {
            libc::RLIM_INFINITY
        } else {
            limit
        }
    };
    // SAFETY: as C asks of the caller.
    unsafe {
        let limit = libc::rlimit {
            rlim_cur: convert((*limit).rlim_cur),
            rlim_max: convert((*limit).rlim_max),
        };
        libc::setrlimit(resource, &raw const limit)
    }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![confstr, getrlimit, setrlimit, sysconf, sysctlbyname,].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn darwin_has_a_number_of_its_own() {
        let version = |text: &str| darwin(text.parse().expect("a version"));
        for (macos, darwin) in [
            ("10.15.7", "19.6.0"),
            ("13.0", "22.1.0"),
            ("13.6.1", "22.6.0"),
            ("15.4.1", "24.4.0"),
            ("26.5.2", "25.5.0"),
            ("27.0", "27.0.0"),
        ] {
            assert_eq!(version(macos), darwin, "{macos}");
        }
    }
}
