//! The identity that the program runs as. Users and groups are simulated: no process has other rights on Linux
//! because of them. The kernel (`live`) keeps them across fork and exec, and messages show them.

use std::ffi::{c_char, c_int};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::errno::fail;
use super::{Export, accounts, functions};
use crate::{es, live, settings};

/// The highest number of groups of a process (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 16;
/// The number that leaves an id as it is.
const SAME: u32 = u32::MAX;

/// A kind of ids of a process, users or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The one that access is checked against.
    pub effective: u32,
    /// The one of the process's creator.
    pub real: u32,
    /// The one that may become the effective one again.
    pub saved: u32,
}

impl Ids {
    fn all(id: u32) -> Self {
        Ids {
            effective: id,
            real: id,
            saved: id,
        }
    }

    /// Returns true if a process without rights may take this id.
    fn has(&self, id: u32) -> bool {
        [self.effective, self.real, self.saved].contains(&id)
    }
}

/// The identity that a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Users.
    pub users: Ids,
    /// Groups.
    pub groups: Ids,
    /// The other groups that it is in.
    pub others: Vec<u32>,
}

impl Credentials {
    /// The ids that the program starts with.
    pub fn at_start() -> Self {
        let user = settings::get().euid;
        Credentials {
            users: Ids::all(user),
            groups: Ids::all(accounts::group_of(user)),
            others: Vec::new(),
        }
    }

    /// Applies an exec: the user of a set-user-ID file becomes the effective one.
    pub fn executed(&mut self, set_user: Option<u32>) {
        self.users.effective = set_user.unwrap_or(self.users.effective);
        self.users.saved = self.users.effective;
        self.groups.saved = self.groups.effective;
    }

    /// The numbers that the kernel gets.
    pub fn numbers(&self) -> Vec<u32> {
        let (users, groups) = (self.users, self.groups);
        let ids = [users.effective, users.real, users.saved]
            .into_iter()
            .chain([groups.effective, groups.real, groups.saved]);
        ids.chain(self.others.iter().copied()).collect()
    }

    /// Reads such numbers.
    pub fn of(numbers: &[u32]) -> Option<Self> {
        let (&[effective, real, saved, group, real_group, saved_group], others) =
            numbers.split_first_chunk::<6>()?;
        Some(Credentials {
            users: Ids {
                effective,
                real,
                saved,
            },
            groups: Ids {
                effective: group,
                real: real_group,
                saved: saved_group,
            },
            others: others.to_vec(),
        })
    }
}

static CREDENTIALS: Mutex<Option<Credentials>> = Mutex::new(None);

fn credentials() -> MutexGuard<'static, Option<Credentials>> {
    CREDENTIALS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the identity that the program runs as.
fn look<T>(at: impl FnOnce(&Credentials) -> T) -> T {
    let mut credentials = credentials();
    at(
        credentials
            .get_or_insert_with(|| live::credentials().unwrap_or_else(Credentials::at_start)),
    )
}

/// Changes the identity that the program runs as, if that is allowed.
fn change(change: impl FnOnce(&mut Credentials) -> Result<(), c_int>) -> c_int {
    let mut new = look(Credentials::clone);
    if let Err(error) = change(&mut new) {
        return fail(error);
    }
    live::set_credentials(&new);
    *credentials() = Some(new);
    0
}

/// The user whose rights the program has.
pub fn effective_user() -> u32 {
    look(|own| own.users.effective)
}

/// The users and groups of an audit token: effective and real user, effective and real group.
pub fn ids() -> [u32; 4] {
    look(|own| {
        let (users, groups) = (own.users, own.groups);
        [users.effective, users.real, groups.effective, groups.real]
    })
}

extern "C" fn geteuid() -> u32 {
    effective_user()
}

extern "C" fn getuid() -> u32 {
    look(|own| own.users.real)
}

extern "C" fn getegid() -> u32 {
    look(|own| own.groups.effective)
}

extern "C" fn getgid() -> u32 {
    look(|own| own.groups.real)
}

extern "C" fn issetugid() -> c_int {
    0
}

/// Allows root to take any id, and others an id that they already have.
fn allowed(own: &Credentials, ids: Ids, wanted: &[u32]) -> Result<(), c_int> {
    let may = |id: &u32| *id == SAME || ids.has(*id);
    if own.users.effective == 0 || wanted.iter().all(may) {
        Ok(())
    } else {
        Err(libc::EPERM)
    }
}

/// Sets all three ids as root, otherwise the effective one.
fn set(own: &Credentials, ids: Ids, id: u32) -> Result<Ids, c_int> {
    allowed(own, ids, &[id])?;
    Ok(if own.users.effective == 0 {
        Ids::all(id)
    } else {
        Ids {
            effective: id,
            ..ids
        }
    })
}

/// Sets the real and the effective id; the old one can't be restored.
fn set_both(own: &Credentials, ids: Ids, real: u32, effective: u32) -> Result<Ids, c_int> {
    allowed(own, ids, &[real, effective])?;
    let or = |id: u32, old: u32| if id == SAME { old } else { id };
    let (real, effective) = (or(real, ids.real), or(effective, ids.effective));
    Ok(Ids {
        effective,
        real,
        saved: effective,
    })
}

/// Reports a process that gives up root's rights by its user alone: it keeps root's groups.
fn check_groups(old: &Credentials, new: Ids) {
    let gives_up = old.users.effective == 0 && !new.has(0);
    if gives_up && (old.groups.has(0) || old.others.contains(&0)) {
        es::misused(format_args!(
            "setuid({}): the process keeps root's group",
            new.effective
        ));
    }
}

extern "C" fn setuid(id: u32) -> c_int {
    change(|own| {
        let users = set(own, own.users, id)?;
        check_groups(own, users);
        own.users = users;
        Ok(())
    })
}

extern "C" fn seteuid(id: u32) -> c_int {
    change(|own| {
        allowed(own, own.users, &[id])?;
        own.users.effective = id;
        Ok(())
    })
}

extern "C" fn setreuid(real: u32, effective: u32) -> c_int {
    change(|own| {
        let users = set_both(own, own.users, real, effective)?;
        check_groups(own, users);
        own.users = users;
        Ok(())
    })
}

extern "C" fn setgid(id: u32) -> c_int {
    change(|own| {
        own.groups = set(own, own.groups, id)?;
        Ok(())
    })
}

extern "C" fn setegid(id: u32) -> c_int {
    change(|own| {
        allowed(own, own.groups, &[id])?;
        own.groups.effective = id;
        Ok(())
    })
}

extern "C" fn setregid(real: u32, effective: u32) -> c_int {
    change(|own| {
        own.groups = set_both(own, own.groups, real, effective)?;
        Ok(())
    })
}

extern "C" fn setgroups(count: c_int, groups: *const u32) -> c_int {
    change(|own| {
        if own.users.effective != 0 {
            return Err(libc::EPERM);
        }
        let count = usize::try_from(count).map_err(|_| libc::EINVAL)?;
        if count > MOST_GROUPS {
            return Err(libc::EINVAL);
        }
        own.others = if count == 0 {
            Vec::new()
        } else {
            // SAFETY: the caller's list.
            unsafe { std::slice::from_raw_parts(groups, count) }.to_vec()
        };
        // The first one is the effective group.
        if let Some(first) = own.others.first() {
            own.groups.effective = *first;
        }
        Ok(())
    })
}

extern "C" fn initgroups(name: *const c_char, group: c_int) -> c_int {
    let mut groups = accounts::groups_of(name, group.cast_unsigned());
    groups.truncate(MOST_GROUPS); // the system asks for the others by the user
    setgroups(groups.len() as c_int, groups.as_ptr())
}

extern "C" fn getgroups(count: c_int, output: *mut u32) -> c_int {
    let groups = look(|own| {
        let mut groups = vec![own.groups.effective];
        let others = own.others.iter().copied();
        groups.extend(others.filter(|group| *group != own.groups.effective));
        groups
    });
    if count == 0 {
        return groups.len() as c_int;
    }
    if usize::try_from(count).is_ok_and(|room| room < groups.len()) || count < 0 {
        return fail(libc::EINVAL);
    }
    // SAFETY: the caller's list has room.
    unsafe { output.copy_from_nonoverlapping(groups.as_ptr(), groups.len()) };
    groups.len() as c_int
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        getegid, geteuid, getgid, getgroups, getuid, initgroups, issetugid, setegid, seteuid,
        setgid, setgroups, setregid, setreuid, setuid,
    ]
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Credentials {
        Credentials {
            users: Ids::all(0),
            groups: Ids::all(0),
            others: vec![1, 2],
        }
    }

    #[test]
    fn root_becomes_another_user_for_good() {
        let mut own = root();
        own.users = set(&own, own.users, 501).expect("root may");
        assert_eq!(own.users, Ids::all(501));
        assert_eq!(set(&own, own.users, 0), Err(libc::EPERM));
        assert_eq!(set_both(&own, own.users, 0, 0), Err(libc::EPERM));
        assert_eq!(set(&own, own.groups, 20), Err(libc::EPERM));
    }

    #[test]
    fn an_effective_user_can_be_left_again() {
        let mut own = root();
        own.users.effective = 501;
        assert_eq!(allowed(&own, own.users, &[0]), Ok(()));
        own.executed(None);
        assert_eq!(
            allowed(&own, own.users, &[0]),
            Ok(()),
            "the real one is root"
        );
        own.users = Ids::all(501);
        own.executed(Some(0));
        assert_eq!((own.users.effective, own.users.real), (0, 501));
    }

    #[test]
    fn credentials_go_there_and_back() {
        let own = root();
        assert_eq!(Credentials::of(&own.numbers()), Some(own));
        assert_eq!(Credentials::of(&[1, 2]), None);
    }
}
