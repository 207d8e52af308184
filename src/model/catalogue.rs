//! Every event in one place.
//!
//! A row declares an event: its `es_event_type_t` number, its name, its classes, the first macOS that has
//! it, a one-line description, and its members with their kinds. From the rows come the names for `-e`,
//! `--list-events`, `--explain`, the decoding and `doc/EVENTS.md`. One identifier serves all of them, because
//! the member of the C structure (`<EndpointSecurity/ESMessage.h>`) and eslogger's key have the same name.
//! `CONTRIBUTING.md` says how to add an event.

use std::sync::LazyLock;

use bitflags::bitflags;

use crate::model::tables::{self, Enum, Flags};
use Kind::{
    Address, Args, Bool, CpuSubtype, Device, Directory, Either, Env, File, Flavor, Hex, Int, Ints,
    Json, List, Mode, Path, Process, Strings, Struct, Text, Time, Token, Union, WaitStatus,
};

bitflags! {
    /// A class of events: `%CLASS` in `-e`. Every event is in at least one class.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Class: u32 {
        /// Files and directories by name or content.
        const FILE = 1;
        /// Open file descriptors.
        const DESC = 1 << 1;
        /// Metadata of files: attributes, modes, owners, flags, ACLs, times.
        const ATTR = 1 << 2;
        /// Processes: their life, and what one does to another.
        const PROCESS = 1 << 3;
        /// Signals, and what stops and resumes processes.
        const SIGNAL = 1 << 4;
        /// Memory mappings.
        const MEMORY = 1 << 5;
        /// The user and group a process runs as.
        const CREDS = 1 << 6;
        /// Communication between processes.
        const IPC = 1 << 7;
        /// Pseudo-terminals.
        const TTY = 1 << 8;
        /// File systems.
        const MOUNT = 1 << 9;
        /// The kernel, its drivers and its clock.
        const SYSTEM = 1 << 10;
        /// Rights: authentication and authorization.
        const AUTH = 1 << 11;
        /// Log-ins of every sort, and the sessions that they begin.
        const SESSION = 1 << 12;
        /// Users and groups in Open Directory.
        const DIRECTORY = 1 << 13;
        /// Programs that start by themselves, and configuration profiles.
        const PERSISTENCE = 1 << 14;
        /// Malware, Gatekeeper, privacy and code signing.
        const SECURITY = 1 << 15;
        /// Files that are made, written, moved, removed or given other attributes.
        const CHANGE = 1 << 16;
    }
}

impl Class {
    /// The class that `%name` stands for.
    pub fn by_name(name: &str) -> Option<Class> {
        let is_lower = !name.contains(|c: char| c.is_ascii_uppercase());
        Class::from_name(&name.to_ascii_uppercase()).filter(|_| is_lower)
    }

    /// The name of the first class in `self`, without its `%`; None if there is none.
    pub fn first_name(self) -> Option<&'static str> {
        static NAMES: LazyLock<Vec<(Class, String)>> = LazyLock::new(|| {
            let lower = |(name, class): (&str, Class)| (class, name.to_ascii_lowercase());
            Class::all().iter_names().map(lower).collect()
        });
        let first = NAMES.iter().find(|(class, _)| self.contains(*class));
        first.map(|(_, name)| name.as_str())
    }

    /// The names of the classes in `self`, each with its `%`.
    pub fn names(self) -> impl Iterator<Item = String> {
        self.iter_names()
            .map(|(name, _)| format!("%{}", name.to_ascii_lowercase()))
    }
}

/// The kind of a member, which says how it is read and shown.
#[derive(Debug)]
pub enum Kind {
    /// `bool`.
    Bool,
    /// An integer without names.
    Int,
    /// A list of integers.
    Ints,
    /// An address in user space.
    Address,
    /// A set of flags.
    Flags(&'static Flags),
    /// An enumeration.
    Enum(&'static Enum),
    /// `proc_check.flavor`, whose names depend on `proc_check.type`.
    Flavor,
    /// `exec.image_cpusubtype`, whose names depend on `exec.image_cputype`.
    CpuSubtype,
    /// `mode_t`.
    Mode,
    /// `dev_t`.
    Device,
    /// A status as wait(2) gives it.
    WaitStatus,
    /// `struct timespec`.
    Time,
    /// `audit_token_t`.
    Token,
    /// `es_string_token_t`, or a string of another structure; also an ACL as text.
    Text,
    /// Bytes, which eslogger writes as hexadecimal digits.
    Hex,
    /// `es_file_t`.
    File,
    /// `es_file_t` of a directory that only locates the name in the member with this label. The label is empty if the
    /// member beside it is the whole path.
    Directory(&'static str),
    /// `es_string_token_t` that is the path of a file.
    Path,
    /// `es_process_t`.
    Process,
    /// The arguments of a program.
    Args,
    /// The environment of a program, shown with `--env`.
    Env,
    /// A list of strings.
    Strings,
    /// A structure: its members are shown as `NAME.MEMBER`.
    Struct(&'static [Member]),
    /// A union, or one of its arms: the members that are set are shown under their own names.
    Union(&'static [Member]),
    /// A union that is shown under its own name. Sources write the arm that is set as it is, or as an
    /// object with the arm's name.
    Either(&'static [Member]),
    /// A list of structures.
    List(&'static [Member]),
    /// Any value: shown as JSON.
    Json,
}

/// The condition under which a member is a detail. A line leaves details out, as strace abbreviates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Never.
    No,
    /// Always.
    Yes,
    /// If it is 0: an attribute word in which no attribute is asked for.
    Zero,
    /// If the member with this label is there as well: a token beside its process, a count beside its list.
    Beside(&'static str),
}

/// A member of an event's structure.
#[derive(Debug)]
pub struct Member {
    /// Its name in C and in eslogger's JSON.
    pub name: &'static str,
    /// Its label when it is shown.
    pub label: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The first message version that has it.
    pub since: u32,
    /// The condition under which it is a detail.
    pub detail: Detail,
    /// Reads it from a message of EndpointSecurity.
    #[cfg(target_os = "macos")]
    pub get: crate::source::native::c::Get,
}

/// A version of macOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MacOs(pub u16, pub u16, pub u16);

/// The oldest macOS that a live trace runs on.
#[cfg(any(target_os = "macos", test))]
pub const OLDEST: MacOs = MacOs(13, 0, 0);

impl std::fmt::Display for MacOs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let MacOs(major, minor, patch) = self;
        write!(f, "{major}.{minor}")?;
        if *patch > 0 {
            write!(f, ".{patch}")?;
        }
        Ok(())
    }
}

/// An event.
#[derive(Debug)]
pub struct Row {
    /// `ES_EVENT_TYPE_NOTIFY_…` of `es_event_type_t`.
    pub number: u32,
    /// `ES_EVENT_TYPE_AUTH_…`, for an event that a client can be asked to authorise.
    pub auth: Option<u32>,
    /// The short name, the same as eslogger's.
    pub name: &'static str,
    /// The classes of the event.
    pub classes: Class,
    /// The first macOS that has it.
    pub since: MacOs,
    /// A one-line description.
    pub doc: &'static str,
    /// Its members, in the order of the structure.
    pub members: &'static [Member],
    /// Notes on when it comes and when it doesn't.
    pub notes: &'static [&'static str],
}

/// The number of events.
pub const COUNT: usize = ROWS.len();

/// The row of the event `name`.
pub fn by_name(name: &[u8]) -> Option<&'static Row> {
    static BY_NAME: LazyLock<Vec<&Row>> = LazyLock::new(|| {
        let mut rows: Vec<_> = ROWS.iter().collect();
        rows.sort_by_key(|row| row.name);
        rows
    });
    let at = BY_NAME
        .binary_search_by_key(&name, |row| row.name.as_bytes())
        .ok()?;
    Some(BY_NAME[at])
}

/// The row of the event with this `es_event_type_t`, which may be an `ES_EVENT_TYPE_AUTH_…`, too.
pub fn by_number(number: u32) -> Option<&'static Row> {
    ROWS.get(place(number)?)
}

/// The place in [`ROWS`] of the event with this number.
fn place(number: u32) -> Option<usize> {
    static PLACES: LazyLock<[Option<u8>; 256]> = LazyLock::new(|| {
        let mut places = [None; 256];
        for (place, row) in (0..).zip(ROWS) {
            for number in [Some(row.number), row.auth].into_iter().flatten() {
                places[number as usize] = Some(place);
            }
        }
        places
    });
    let place = PLACES.get(usize::try_from(number).ok()?)?;
    place.map(usize::from)
}

impl Row {
    /// The member that is shown with this label within this structure.
    pub fn member(&self, within: &str, label: &str) -> Option<&'static Member> {
        fn find(
            members: &'static [Member],
            is_within: &str,
            within: &str,
            label: &str,
        ) -> Option<&'static Member> {
            members.iter().find_map(|member| match member.kind {
                Struct(members) => find(members, member.label, within, label),
                Union(members) => find(members, is_within, within, label),
                _ => (is_within == within && member.label == label).then_some(member),
            })
        }
        find(self.members, "", within, label)
    }

    /// Returns true if it has a process on whose behalf it was done.
    pub fn has_instigator(&self) -> bool {
        fn have(members: &[Member]) -> bool {
            members.iter().any(|member| match member.kind {
                Struct(members) | Union(members) => have(members),
                Process => member.label == "instigator",
                _ => false,
            })
        }
        static HAVE: LazyLock<Vec<bool>> =
            LazyLock::new(|| ROWS.iter().map(|row| have(row.members)).collect());
        HAVE.get(self.index()).is_some_and(|has| *has)
    }

    /// Its place in [`ROWS`].
    pub fn index(&self) -> usize {
        place(self.number).unwrap_or(COUNT)
    }
}

/// The second value if there is one, else the first.
macro_rules! or {
    ($default:expr) => {
        $default
    };
    ($default:expr, $value:expr) => {
        $value
    };
}

/// The condition under which a member is a detail, from the `#[…]` before it.
macro_rules! detail {
    () => {
        Detail::No
    };
    (detail) => {
        Detail::Yes
    };
    (nonzero) => {
        Detail::Zero
    };
    (beside $label:ident) => {
        Detail::Beside(stringify!($label))
    };
}

/// The function with which the native source reads a member of a message: see `source::native::c`. Nothing on other
/// systems.
macro_rules! member {
    ($of:tt $name:ident as $label:expr, $since:expr, $detail:expr, $kind:expr, [$($get:tt)*]) => {
        Member {
            name: stringify!($name),
            label: $label,
            kind: $kind,
            since: $since,
            detail: $detail,
            #[cfg(target_os = "macos")]
            get: crate::source::native::c::getter!($of $name [$($get)*]),
        }
    };
}

/// `OF; [#[DETAIL]] NAME [as "LABEL"] [@ VERSION] [[GET]]: KIND, …`
///
/// DETAIL is `detail`, `nonzero` or `beside(LABEL)`, see [`Detail`]. OF is the C structure, or `event NAME [@ C_UNION]`
/// for an event's own. GET is how a member is read from OF if it isn't simply its member NAME: `|e| EXPRESSION`, or
/// nothing for a union, whose arms are read from the structure that contains it.
macro_rules! members {
    (event $event:ident $(@ $union:ident)?; $($rest:tt)*) => { members!(@ (event $event $($union)?) $($rest)*) };
    ($of:ident; $($rest:tt)*) => { members!(@ (structure $of) $($rest)*) };
    (@ $of:tt $($(#[$detail:ident $(($beside:ident))?])? $name:ident $(as $label:literal)? $(@ $since:literal)? $([$($get:tt)*])? : $kind:expr),* $(,)?) => {
        &[$(member!(
            $of $name as or!(stringify!($name) $(, $label)?), or!(1 $(, $since)?),
            detail!($($detail $($beside)?)?), $kind,
            [$($($get)* ;)?]
        )),*]
    };
}

/// `NUMBER [/ AUTH_NUMBER] NAME [@ C_UNION] CLASSES (MAJOR, MINOR, PATCH) "DOC" { MEMBERS } [NOTES]`
///
/// The structure is the arm NAME of the C union, which is `es_events_t` if none is given.
macro_rules! events {
    ($($number:literal $(/ $auth:literal)? $name:ident $(@ $union:ident)? $($class:ident)|+ ($major:literal, $minor:literal, $patch:literal)
        $doc:literal { $($members:tt)* } $([$($note:literal),+ $(,)?])?)*) => {
        /// The events, in the order of their numbers.
        pub static ROWS: &[Row] = &[$(Row {
            number: $number,
            auth: or!(None $(, Some($auth))?),
            name: stringify!($name),
            classes: Class::empty()$(.union(Class::$class))+,
            since: MacOs($major, $minor, $patch),
            doc: $doc,
            members: members!(@ (event $name $($union)?) $($members)*),
            notes: &[$($($note),+)?],
        }),*];
    };
}

const fn flags(table: &'static Flags) -> Kind {
    Kind::Flags(table)
}

const fn names(table: &'static Enum) -> Kind {
    Kind::Enum(table)
}

/// `struct statfs`, `<sys/mount.h>`.
const STATFS: &[Member] = members! { statfs;
    #[detail] f_bsize: Int, #[detail] f_iosize: Int, #[detail] f_blocks: Int, #[detail] f_bfree: Int,
    #[detail] f_bavail: Int, #[detail] f_files: Int, #[detail] f_ffree: Int, #[detail] f_fsid: Ints,
    #[detail] f_owner: Int, #[detail] f_type: Int, f_flags: flags(&tables::MOUNT_FLAGS), #[detail] f_fssubtype: Int,
    f_fstypename: Text, f_mntonname: Path, f_mntfromname: Text, #[nonzero] f_flags_ext: flags(&tables::MOUNT_FLAGS_EXT),
};

/// `struct attrlist`, `<sys/attr.h>`.
const ATTRLIST: &[Member] = members! { attrlist;
    #[detail] bitmapcount: Int, reserved []: Int, #[nonzero] commonattr: flags(&tables::COMMONATTR),
    #[nonzero] volattr: flags(&tables::VOLATTR), #[nonzero] dirattr: flags(&tables::DIRATTR),
    #[nonzero] fileattr: flags(&tables::FILEATTR), #[nonzero] forkattr: flags(&tables::FORKATTR),
};

/// `es_btm_launch_item_t`.
const LAUNCH_ITEM: &[Member] = members! { es_btm_launch_item_t;
    item_type: names(&tables::BTM_ITEM_TYPE), legacy: Bool, managed: Bool, uid: Int, item_url: Text, app_url: Text,
};

/// `es_profile_t`.
const PROFILE: &[Member] = members! { es_profile_t;
    identifier: Text, uuid: Text, install_source: names(&tables::PROFILE_SOURCE), organization: Text,
    display_name: Text, scope: Text,
};

/// `es_signed_file_info_t`.
const SIGNED_FILE_INFO: &[Member] =
    members! { es_signed_file_info_t; cdhash: Hex, signing_id: Text, team_id: Text };

/// `es_sudo_reject_info_t`.
const SUDO_REJECT_INFO: &[Member] = members! { es_sudo_reject_info_t;
    plugin_name: Text, plugin_type: names(&tables::SUDO_PLUGIN_TYPE), failure_message: Text,
};

/// `es_authorization_result_t`.
const AUTHORIZATION_RESULT: &[Member] = members! { es_authorization_result_t;
    right_name: Text, rule_class: names(&tables::AUTHORIZATION_RULE_CLASS), granted: Bool,
};

/// `es_od_member_id_t`.
const OD_MEMBER_ID: &[Member] = members! { es_od_member_id_t;
    #[beside(member_value)] member_type: names(&tables::OD_MEMBER_TYPE), member_value []: Either(members! { es_od_member_id_t;
        name [|e| arm(e.member_type.0 == 0, &*e.member_value.name)]: Text,
        uuid [|e| arm(e.member_type.0 != 0, &e.member_value.uuid)]: Text,
    }),
};

/// `es_od_member_id_array_t`.
const OD_MEMBER_ID_ARRAY: &[Member] = members! { es_od_member_id_array_t;
    #[beside(member_array)] member_type: names(&tables::OD_MEMBER_TYPE), #[beside(member_array)] member_count: Int,
    member_array []: Either(members! { es_od_member_id_array_t;
        names [|e| arm(e.member_type.0 == 0, strings(e.member_array.names.as_ptr(), e.member_count))]: Strings,
        uuids [|e| arm(e.member_type.0 != 0, uuids(e.member_array.uuids.as_ptr(), e.member_count))]: Strings,
    }),
};

/// `es_thread_state_t`.
const THREAD_STATE: &[Member] = members! { es_thread_state_t; flavor: names(&tables::THREAD_STATE_FLAVOR), #[detail] state: Hex };

/// `es_fd_t`.
const FD: &[Member] = members! { es_fd_t;
    fd: Int, fdtype: names(&tables::FDTYPE),
    pipe []: Union(members! { es_fd_t; pipe_id [|e| e.pipe().map(|pipe| pipe.pipe_id)]: Int }),
};

/// `es_event_authentication_t.data`: the arms keep their names, because their members' names are not unique.
const AUTHENTICATION_DATA: &[Member] = members! { event authentication;
    od [|e| arm(e.type_.0 == 0, structure(e.data.od.as_ptr()))]: Struct(members! { es_event_authentication_od_t;
        instigator: Process, record_type: Text, record_name: Text, node_name: Text, db_path: Text,
        #[beside(instigator)] instigator_token @ 8: Token,
    }),
    touchid [|e| arm(e.type_.0 == 1, structure(e.data.touchid.as_ptr()))]: Struct(members! {
        es_event_authentication_touchid_t;
        instigator: Process, touchid_mode: names(&tables::TOUCHID_MODE),
        uid [|e| optional(e.has_uid, &e.anon0.uid)]: Int, #[beside(instigator)] instigator_token @ 8: Token,
    }),
    token [|e| arm(e.type_.0 == 2, structure(e.data.token.as_ptr()))]: Struct(members! {
        es_event_authentication_token_t;
        instigator: Process, pubkey_hash: Text, token_id: Text, kerberos_principal: Text,
        #[beside(instigator)] instigator_token @ 8: Token,
    }),
    auto_unlock [|e| arm(e.type_.0 == 3, structure(e.data.auto_unlock.as_ptr()))]: Struct(members! {
        es_event_authentication_auto_unlock_t;
        username: Text, type [|e| &e.type_]: names(&tables::AUTO_UNLOCK_TYPE),
    }),
};

/// `es_event_bootstrap_look_up_t.target`.
const BOOTSTRAP_TARGET: &[Member] = members! { event bootstrap_look_up @ es_events_v27_t;
    process []: Union(members! { event bootstrap_look_up @ es_events_v27_t;
        target [|e| arm(e.target_type == 0, &e.target.process.target)]: Process,
        #[beside(target)] target_token [|e| arm(e.target_type == 0, &e.target.process.target_token)]: Token,
        job_label [|e| arm(e.target_type == 0, &e.target.process.job_label)]: Text,
    }),
    job []: Union(members! { event bootstrap_look_up @ es_events_v27_t;
        job_label [|e| arm(e.target_type == 1, &e.target.job.job_label)]: Text,
        lwcr [|e| arm(e.target_type == 1, structure(e.target.job.lwcr))]: Struct(members! {
            es_lightweight_code_requirement_t;
            team_id: Text, signing_id: Text,
        }),
    }),
};

events! {
    9 / 0 exec PROCESS (10, 15, 0) "a process runs another program" {
        target: Process, #[detail] dyld_exec_path @ 7: Text, script @ 2 [|e| &e.anon_0.anon_0.script]: File,
        cwd @ 3 [|e| &e.anon_0.anon_0.cwd]: File, #[detail] last_fd @ 4 [|e| &e.anon_0.anon_0.last_fd]: Int,
        #[detail] image_cputype @ 6 [|e| &e.anon_0.anon_0.image_cputype]: names(&tables::CPUTYPE),
        #[detail] image_cpusubtype @ 6 [|e| &e.anon_0.anon_0.image_cpusubtype]: CpuSubtype,
        args [*|e| exec_args(e)]: Args, env [*|e| exec_env(e)]: Env, #[detail] fds @ 4 [*|e| exec_fds(e)]: List(FD),
        #[detail] entitlements @ 11 [*|e| exec_entitlements(e)]: Json,
    } [
        "Comes only when the program really starts: trying to run what isn't there, isn't executable or isn't permitted leaves no event. One that a security product refused has a `result`.",
        "`args` begins with the name that the program was called by (`ls`); `target` has the resolved path (`/bin/ls`).",
        "The process block is the image that called execve, `target` the one that runs from then on, under the same PID.",
        "Descriptors that are marked to be closed on exec give a `close` each.",
    ]
    10 / 1 open FILE | DESC (10, 15, 0) "a file is opened" {
        fflag: flags(&tables::FFLAG), file as "filename": File,
    } [
        "Only calls of open(2) and its kin give this event: the start of a program and the libraries that it is linked to don't. Libraries give a `lookup`.",
        "Also comes when the process has no permission for the file, so that the call fails.",
        "`fflag` has the kernel's form: FREAD and FWRITE stand for O_RDONLY, O_WRONLY and O_RDWR.",
        "A client that authorises opens may have its answers cached, and opening a file for writing takes that file out of the cache; this event comes whether an answer was cached or not.",
    ]
    11 fork PROCESS (10, 15, 0) "a process makes a child" { child: Process } [
        "The child's descriptors are copies, and yet no `dup` comes for them.",
        "Muting a process doesn't mute its children: a client that mutes has to watch this event.",
    ]
    12 close FILE | DESC (10, 15, 0) "a file descriptor is closed" {
        modified: Bool, target: File, was_mapped_writable @ 6 [|e| &e.anon0.was_mapped_writable]: Bool,
    } [
        "Comes for every descriptor, however it is closed: by the process, by the system when the process ends, by exec because of O_CLOEXEC, and once for each duplicate.",
        "`modified` says that the file was written at least once, through any descriptor: every later close of a duplicate says so too.",
        "`modified` stays false when a file was changed through mmap(2) alone; `was_mapped_writable` says whether that was possible.",
    ]
    13 / 44 create FILE | CHANGE (10, 15, 0) "a file is created" {
        #[detail] destination_type: names(&tables::DESTINATION_TYPE),
        destination []: Union(members! { event create;
            existing_file [|e| arm(e.destination_type.0 == 0, &e.destination.existing_file)]: File,
            new_path []: Union(members! { event create;
                dir as "target_dir" [|e| arm(e.destination_type.0 == 1, &e.destination.new_path.dir)]: Directory("target_name"),
                filename as "target_name" [|e| arm(e.destination_type.0 == 1, &e.destination.new_path.filename)]: Text,
                mode [|e| arm(e.destination_type.0 == 1, &e.destination.new_path.mode)]: Mode,
            }),
        }),
        acl @ 2 [|e| &e.anon_1.anon_0.acl]: Text,
    }
    14 / 80 exchangedata FILE | CHANGE (10, 15, 0) "two files swap their contents" { file1: File, file2: File }
    15 exit PROCESS (10, 15, 0) "a process ends" { stat: WaitStatus } [
        "The files that the process left open give a `close` each.",
    ]
    16 / 87 get_task PROCESS (10, 15, 0) "a process gets the control port of another" {
        target: Process, type @ 5 [|e| &e.type_]: names(&tables::GET_TASK_TYPE),
    }
    17 / 2 kextload SYSTEM (10, 15, 0) "a kernel extension is loaded" { identifier: Text }
    18 kextunload SYSTEM (10, 15, 0) "a kernel extension is unloaded" { identifier: Text }
    19 / 42 link FILE | CHANGE (10, 15, 0) "a hard link is made" {
        source: File, target_dir: Directory("target_filename"), target_filename: Text,
    }
    20 / 3 mmap MEMORY | FILE (10, 15, 0) "a file is mapped into memory" {
        protection: flags(&tables::PROTECTION), max_protection: flags(&tables::PROTECTION),
        flags: flags(&tables::MMAP_FLAGS), file_pos: Int, source: File,
    } [
        "A file that is changed through its mapping alone is not `modified` when it is closed.",
    ]
    21 / 4 mprotect MEMORY (10, 15, 0) "the protection of memory is changed" {
        protection: flags(&tables::PROTECTION), address: Address, size: Int,
    } [
        "A client's answers to its authorisation are never cached.",
    ]
    22 / 5 mount MOUNT (10, 15, 0) "a file system is mounted" {
        statfs: Struct(STATFS), disposition @ 8: names(&tables::MOUNT_DISPOSITION),
    }
    23 unmount MOUNT (10, 15, 0) "a file system is unmounted" { statfs: Struct(STATFS) }
    24 / 91 iokit_open SYSTEM (10, 15, 0) "a process connects to a driver" {
        user_client_type: Int, user_client_class: Text,
        parent_registry_id @ 10 [*|e| &(*e.cast::<es_event_iokit_open_v10_t>()).parent_registry_id]: Int,
        parent_path @ 10 [*|e| &(*e.cast::<es_event_iokit_open_v10_t>()).parent_path]: Text,
    }
    25 / 6 rename FILE | CHANGE (10, 15, 0) "a file is renamed" {
        source: File, #[detail] destination_type: names(&tables::DESTINATION_TYPE),
        destination []: Union(members! { event rename;
            existing_file [|e| arm(e.destination_type.0 == 0, &e.destination.existing_file)]: File,
            new_path []: Union(members! { event rename;
                dir [|e| arm(e.destination_type.0 == 1, &e.destination.new_path.dir)]: Directory("filename"),
                filename [|e| arm(e.destination_type.0 == 1, &e.destination.new_path.filename)]: Text,
            }),
        }),
    }
    26 / 45 setattrlist ATTR | FILE | CHANGE (10, 15, 0) "attributes of a file are set" { attrlist: Struct(ATTRLIST), target: File }
    27 / 46 setextattr ATTR | FILE | CHANGE (10, 15, 0) "an extended attribute is set" { target: File, extattr: Text }
    28 / 47 setflags ATTR | FILE | CHANGE (10, 15, 0) "the flags of a file are set (chflags)" {
        flags: flags(&tables::FILE_FLAGS), target: File,
    }
    29 / 48 setmode ATTR | FILE | CHANGE (10, 15, 0) "the mode of a file is set (chmod)" { mode: Mode, target: File }
    30 / 49 setowner ATTR | FILE | CHANGE (10, 15, 0) "the owner of a file is set (chown)" { uid: Int, gid: Int, target: File }
    31 / 7 signal SIGNAL | PROCESS (10, 15, 0) "a signal is sent" {
        sig: names(&tables::SIGNAL), target: Process, instigator @ 9: Process,
    }
    32 / 8 unlink FILE | CHANGE (10, 15, 0) "a file is removed" { target: File, parent_dir: Directory("") } [
        "Also comes when the process has no permission to remove the file; not when the file doesn't exist.",
    ]
    33 write FILE | DESC | CHANGE (10, 15, 0) "a file is written" { target: File }
    35 / 34 file_provider_materialize FILE | CHANGE (10, 15, 0) "a file provider brings a file's content" {
        instigator: Process, source: File, target: File, #[beside(instigator)] instigator_token @ 8: Token,
    }
    37 / 36 file_provider_update FILE | CHANGE (10, 15, 0) "a file provider takes over a change" { source: File, target_path: Path }
    39 / 38 readlink FILE (10, 15, 0) "a symbolic link is read" { source: File }
    41 / 40 truncate FILE | CHANGE (10, 15, 0) "a file is truncated" { target: File }
    43 lookup FILE (10, 15, 0) "a path is looked up" {
        source_dir: Directory("relative_target"), relative_target: Text,
    } [
        "Also comes for the libraries that a program loads, for which no `open` comes.",
    ]
    51 / 50 chdir FILE (10, 15, 1) "the working directory is changed" { target: File } [
        "Also comes when the process may not enter the directory, and when it is there already; not when there is no such directory.",
    ]
    53 / 52 getattrlist ATTR | FILE (10, 15, 1) "attributes of a file are read" { attrlist: Struct(ATTRLIST), target: File }
    54 stat ATTR | FILE (10, 15, 1) "the status of a file is read" { target: File }
    55 access FILE (10, 15, 1) "the permissions for a file are asked for" {
        mode: flags(&tables::ACCESS_MODE), target: File,
    } [
        "Doesn't come for a file that doesn't exist, nor for one that the process has no rights to.",
    ]
    57 / 56 chroot FILE | PROCESS (10, 15, 1) "the root directory is changed" { target: File }
    59 / 58 utimes ATTR | FILE | CHANGE (10, 15, 1) "the times of a file are set" { target: File, atime: Time, mtime: Time }
    61 / 60 clone FILE | CHANGE (10, 15, 1) "a file is cloned" {
        source: File, target_dir: Directory("target_name"), target_name: Text,
    }
    62 / 90 fcntl DESC (10, 15, 1) "a file descriptor is controlled" { target: File, cmd: names(&tables::FCNTL_CMD) } [
        "Some commands give another event as well: F_DUPFD gives this one and `dup`.",
    ]
    64 / 63 getextattr ATTR | FILE (10, 15, 1) "an extended attribute is read" { target: File, extattr: Text }
    66 / 65 listextattr ATTR | FILE (10, 15, 1) "the extended attributes are listed" { target: File }
    68 / 67 readdir FILE (10, 15, 1) "a directory is read" { target: File }
    70 / 69 deleteextattr ATTR | FILE | CHANGE (10, 15, 1) "an extended attribute is removed" { target: File, extattr: Text }
    72 / 71 fsgetpath FILE (10, 15, 1) "a path is asked for by file-system and file id" { target: File }
    73 dup DESC (10, 15, 1) "a file descriptor is duplicated" { target: File } [
        "fcntl(2) with F_DUPFD gives it too.",
        "The copies of its descriptors that a child gets at fork don't give it.",
    ]
    75 / 74 settime SYSTEM (10, 15, 1) "the system's clock is set" {}
    76 / 77 uipc_bind IPC | FILE | CHANGE (10, 15, 1) "a UNIX socket is bound to a path" {
        dir: Directory("filename"), filename: Text, mode: Mode,
    }
    78 / 79 uipc_connect IPC | FILE (10, 15, 1) "a UNIX socket is connected" {
        file: File, domain: names(&tables::SOCKET_DOMAIN), type [|e| &e.type_]: names(&tables::SOCKET_TYPE), protocol: Int,
    }
    82 / 81 setacl ATTR | FILE | CHANGE (10, 15, 1) "an ACL is set or cleared" {
        target: File, set_or_clear: names(&tables::SET_OR_CLEAR),
        acl []: Either(members! { event setacl; set [|e| arm(e.set_or_clear.0 == 0, &e.acl.set)]: Text }),
    }
    83 pty_grant TTY (10, 15, 4) "a pseudo-terminal is given out" { dev: Device }
    84 pty_close TTY (10, 15, 4) "a pseudo-terminal is closed" { dev: Device }
    86 / 85 proc_check PROCESS (10, 15, 4) "a process asks about another" {
        target: Process, type [|e| &e.type_]: names(&tables::PROC_CHECK_TYPE), flavor: Flavor,
    }
    89 / 88 searchfs FILE (11, 0, 0) "a volume is searched" { attrlist: Struct(ATTRLIST), target: File }
    93 / 92 proc_suspend_resume PROCESS | SIGNAL (11, 0, 0) "a process is suspended or resumed" {
        target: Process, type [|e| &e.type_]: names(&tables::PROC_SUSPEND_RESUME_TYPE),
    }
    94 cs_invalidated SECURITY | PROCESS (11, 0, 0) "the code signature of a process has become invalid" {}
    95 get_task_name PROCESS (11, 0, 0) "a process gets the name port of another" {
        target: Process, type @ 5 [|e| &e.type_]: names(&tables::GET_TASK_TYPE),
    }
    96 trace PROCESS (11, 0, 0) "a process traces another (ptrace)" { target: Process }
    97 remote_thread_create PROCESS (11, 0, 0) "a process makes a thread in another" {
        target: Process, thread_state: Struct(THREAD_STATE),
    }
    99 / 98 remount MOUNT (11, 0, 0) "a file system is remounted" {
        statfs: Struct(STATFS), remount_flags @ 8: flags(&tables::MOUNT_FLAGS),
        disposition @ 8: names(&tables::MOUNT_DISPOSITION),
    }
    101 / 100 get_task_read PROCESS (11, 3, 0) "a process gets the read port of another" {
        target: Process, type @ 5 [|e| &e.type_]: names(&tables::GET_TASK_TYPE),
    }
    102 get_task_inspect PROCESS (11, 3, 0) "a process gets the inspect port of another" {
        target: Process, type @ 5 [|e| &e.type_]: names(&tables::GET_TASK_TYPE),
    }
    103 setuid CREDS (12, 0, 0) "a process sets its user id" { uid: Int }
    104 setgid CREDS (12, 0, 0) "a process sets its group id" { gid: Int }
    105 seteuid CREDS (12, 0, 0) "a process sets its effective user id" { euid: Int }
    106 setegid CREDS (12, 0, 0) "a process sets its effective group id" { egid: Int }
    107 setreuid CREDS (12, 0, 0) "a process sets its real and effective user ids" { ruid: Int, euid: Int }
    108 setregid CREDS (12, 0, 0) "a process sets its real and effective group ids" { rgid: Int, egid: Int }
    110 / 109 copyfile FILE | CHANGE (12, 0, 0) "a file is copied by the kernel" {
        source: File, target_file: File, target_dir: Directory("target_name"), target_name: Text, mode: Mode,
        flags: flags(&tables::COPYFILE_FLAGS),
    }
    111 authentication AUTH (13, 0, 0) "somebody authenticates, or fails to" {
        success: Bool, type [|e| &e.type_]: names(&tables::AUTHENTICATION_TYPE), data []: Union(AUTHENTICATION_DATA),
    }
    112 xp_malware_detected SECURITY (13, 0, 0) "XProtect finds malware" {
        signature_version: Text, malware_identifier: Text, incident_identifier: Text, detected_path: Path,
        detected_executable @ 10 [*|e| &(*e.cast::<es_event_xp_malware_detected_v10_t>()).detected_executable]: Path,
    }
    113 xp_malware_remediated SECURITY (13, 0, 0) "XProtect removes malware" {
        signature_version: Text, malware_identifier: Text, incident_identifier: Text, action_type: Text,
        success: Bool, result_description: Text, remediated_path: Path, remediated_process_audit_token: Token,
    }
    114 lw_session_login SESSION (13, 0, 0) "a user logs in at the login window" {
        username: Text, graphical_session_id: Int,
    }
    115 lw_session_logout SESSION (13, 0, 0) "a user logs out at the login window" {
        username: Text, graphical_session_id: Int,
    }
    116 lw_session_lock SESSION (13, 0, 0) "the screen is locked" { username: Text, graphical_session_id: Int }
    117 lw_session_unlock SESSION (13, 0, 0) "the screen is unlocked" { username: Text, graphical_session_id: Int }
    118 screensharing_attach SESSION (13, 0, 0) "a screen-sharing session begins" {
        success: Bool, source_address_type: names(&tables::ADDRESS_TYPE), source_address: Text,
        viewer_appleid: Text, authentication_type: Text, authentication_username: Text, session_username: Text,
        existing_session: Bool, graphical_session_id: Int,
    }
    119 screensharing_detach SESSION (13, 0, 0) "a screen-sharing session ends" {
        source_address_type: names(&tables::ADDRESS_TYPE), source_address: Text, viewer_appleid: Text,
        graphical_session_id: Int,
    }
    120 openssh_login SESSION | AUTH (13, 0, 0) "somebody logs in over SSH, or fails to" {
        success: Bool, result_type: names(&tables::OPENSSH_LOGIN_RESULT_TYPE),
        source_address_type: names(&tables::ADDRESS_TYPE), source_address: Text, username: Text,
        uid [|e| optional(e.has_uid, &e.anon0.uid)]: Int,
    }
    121 openssh_logout SESSION (13, 0, 0) "an SSH session ends" {
        source_address_type: names(&tables::ADDRESS_TYPE), source_address: Text, username: Text, uid: Int,
    }
    122 login_login SESSION | AUTH (13, 0, 0) "somebody logs in through login(1), or fails to" {
        success: Bool, failure_message: Text, username: Text, uid [|e| optional(e.has_uid, &e.anon0.uid)]: Int,
    }
    123 login_logout SESSION (13, 0, 0) "a session of login(1) ends" { username: Text, uid: Int }
    124 btm_launch_item_add PERSISTENCE (13, 0, 0) "a login item, launch agent or daemon is added" {
        instigator: Process, app: Process, item: Struct(LAUNCH_ITEM), executable_path: Path,
        #[beside(instigator)] instigator_token @ 8: Token, #[beside(app)] app_token @ 8: Token,
    }
    125 btm_launch_item_remove PERSISTENCE (13, 0, 0) "a login item, launch agent or daemon is removed" {
        instigator: Process, app: Process, item: Struct(LAUNCH_ITEM), #[beside(instigator)] instigator_token @ 8: Token,
        #[beside(app)] app_token @ 8: Token,
    }
    126 profile_add PERSISTENCE (14, 0, 0) "a configuration profile is installed" {
        instigator: Process, is_update: Bool, profile: Struct(PROFILE), #[beside(instigator)] instigator_token @ 8: Token,
    }
    127 profile_remove PERSISTENCE (14, 0, 0) "a configuration profile is removed" {
        instigator: Process, profile: Struct(PROFILE), #[beside(instigator)] instigator_token @ 8: Token,
    }
    128 su AUTH | SESSION (14, 0, 0) "su(1) is used" {
        success: Bool, failure_message: Text, from_uid: Int, from_username: Text,
        to_uid [|e| optional(e.has_to_uid, &e.to_uid.uid)]: Int, to_username: Text, shell: Text, #[beside(argv)] argc: Int,
        argv [|e| strings(e.argv, e.argc)]: Args, #[beside(env)] env_count: Int, env [|e| strings(e.env, e.env_count)]: Env,
    }
    129 authorization_petition AUTH (14, 0, 0) "somebody asks for rights" {
        instigator: Process, petitioner: Process, flags: flags(&tables::AUTHORIZATION_FLAGS), #[beside(rights)] right_count: Int,
        rights [|e| strings(e.rights, e.right_count)]: Strings, #[beside(instigator)] instigator_token @ 8: Token, #[beside(petitioner)] petitioner_token @ 8: Token,
    }
    130 authorization_judgement AUTH (14, 0, 0) "rights are granted or denied" {
        instigator: Process, petitioner: Process, return_code: names(&tables::AUTHORIZATION_RESULT),
        #[beside(results)] result_count: Int, results [|e| list(e.results, e.result_count)]: List(AUTHORIZATION_RESULT), #[beside(instigator)] instigator_token @ 8: Token,
        #[beside(petitioner)] petitioner_token @ 8: Token,
    }
    131 sudo AUTH (14, 0, 0) "sudo(8) is used" {
        success: Bool, reject_info: Struct(SUDO_REJECT_INFO),
        from_uid [|e| optional(e.has_from_uid, &e.from_uid.uid)]: Int, from_username: Text,
        to_uid [|e| optional(e.has_to_uid, &e.to_uid.uid)]: Int, to_username: Text, command: Text,
    }
    132 od_group_add DIRECTORY (14, 0, 0) "a member is added to a group" {
        instigator: Process, error_code: Int, group_name: Text, member: Struct(OD_MEMBER_ID), node_name: Text,
        db_path: Text, #[beside(instigator)] instigator_token @ 8: Token,
    }
    133 od_group_remove DIRECTORY (14, 0, 0) "a member is removed from a group" {
        instigator: Process, error_code: Int, group_name: Text, member: Struct(OD_MEMBER_ID), node_name: Text,
        db_path: Text, #[beside(instigator)] instigator_token @ 8: Token,
    }
    134 od_group_set DIRECTORY (14, 0, 0) "the members of a group are set" {
        instigator: Process, error_code: Int, group_name: Text, members: Struct(OD_MEMBER_ID_ARRAY),
        node_name: Text, db_path: Text, #[beside(instigator)] instigator_token @ 8: Token,
    }
    135 od_modify_password DIRECTORY (14, 0, 0) "a password is changed" {
        instigator: Process, error_code: Int, account_type: names(&tables::OD_ACCOUNT_TYPE), account_name: Text,
        node_name: Text, db_path: Text, #[beside(instigator)] instigator_token @ 8: Token,
    }
    136 od_disable_user DIRECTORY (14, 0, 0) "a user is disabled" {
        instigator: Process, error_code: Int, user_name: Text, node_name: Text, db_path: Text,
        #[beside(instigator)] instigator_token @ 8: Token,
    }
    137 od_enable_user DIRECTORY (14, 0, 0) "a user is enabled" {
        instigator: Process, error_code: Int, user_name: Text, node_name: Text, db_path: Text,
        #[beside(instigator)] instigator_token @ 8: Token,
    }
    138 od_attribute_value_add DIRECTORY (14, 0, 0) "a value is added to an attribute" {
        instigator: Process, error_code: Int, record_type: names(&tables::OD_RECORD_TYPE), record_name: Text,
        attribute_name: Text, attribute_value: Text, node_name: Text, db_path: Text, #[beside(instigator)] instigator_token @ 8: Token,
    }
    139 od_attribute_value_remove DIRECTORY (14, 0, 0) "a value is removed from an attribute" {
        instigator: Process, error_code: Int, record_type: names(&tables::OD_RECORD_TYPE), record_name: Text,
        attribute_name: Text, attribute_value: Text, node_name: Text, db_path: Text, #[beside(instigator)] instigator_token @ 8: Token,
    }
    140 od_attribute_set DIRECTORY (14, 0, 0) "the values of an attribute are set" {
        instigator: Process, error_code: Int, record_type: names(&tables::OD_RECORD_TYPE), record_name: Text,
        attribute_name: Text, #[beside(attribute_values)] attribute_value_count: Int, attribute_values [|e| strings(e.attribute_value_array, e.attribute_value_count)]: Strings, node_name: Text,
        db_path: Text, #[beside(instigator)] instigator_token @ 8: Token,
    }
    141 od_create_user DIRECTORY (14, 0, 0) "a user is created" {
        instigator: Process, error_code: Int, user_name: Text, node_name: Text, db_path: Text,
        #[beside(instigator)] instigator_token @ 8: Token,
    }
    142 od_create_group DIRECTORY (14, 0, 0) "a group is created" {
        instigator: Process, error_code: Int, group_name: Text, node_name: Text, db_path: Text,
        #[beside(instigator)] instigator_token @ 8: Token,
    }
    143 od_delete_user DIRECTORY (14, 0, 0) "a user is deleted" {
        instigator: Process, error_code: Int, user_name: Text, node_name: Text, db_path: Text,
        #[beside(instigator)] instigator_token @ 8: Token,
    }
    144 od_delete_group DIRECTORY (14, 0, 0) "a group is deleted" {
        instigator: Process, error_code: Int, group_name: Text, node_name: Text, db_path: Text,
        #[beside(instigator)] instigator_token @ 8: Token,
    }
    145 / 157 xpc_connect IPC (14, 0, 0) "a process connects to an XPC service" {
        service_name: Text, service_domain_type: names(&tables::XPC_DOMAIN_TYPE),
    }
    146 gatekeeper_user_override SECURITY (15, 0, 0) "the user overrides Gatekeeper" {
        #[beside(file)] file_type: names(&tables::GATEKEEPER_USER_OVERRIDE_FILE_TYPE),

        file []: Either(members! { event gatekeeper_user_override;
            file_path [|e| arm(e.file_type.0 == 0, &*e.file.file_path)]: Path,
            file [|e| arm(e.file_type.0 == 1, &e.file.file)]: File,
        }),
        sha256: Hex, signing_info: Struct(SIGNED_FILE_INFO),
    }
    147 tcc_modify SECURITY (15, 4, 0) "a privacy permission (TCC) is changed" {
        service: Text, identity: Text, identity_type: names(&tables::TCC_IDENTITY_TYPE),
        update_type: names(&tables::TCC_EVENT_TYPE), #[beside(instigator)] instigator_token: Token, instigator: Process,
        #[beside(responsible)] responsible_token: Token, responsible: Process, right: names(&tables::TCC_AUTHORIZATION_RIGHT),
        reason: names(&tables::TCC_AUTHORIZATION_REASON),
    }
    159 / 158 bootstrap_check_in @ es_events_v27_t IPC (27, 0, 0) "a process checks in a service with launchd" {
        instigator: Process, #[beside(instigator)] instigator_token: Token, service_name: Text,
    } [
        "The process block is launchd; `instigator` is who asked it.",
    ]
    161 / 160 bootstrap_look_up @ es_events_v27_t IPC (27, 0, 0) "a process looks up a service with launchd" {
        instigator: Process, #[beside(instigator)] instigator_token: Token, service_name: Text,
        #[detail] target_type: names(&tables::BOOTSTRAP_TARGET_TYPE), target []: Union(BOOTSTRAP_TARGET),
    } [
        "The process block is launchd; `instigator` is who asked it.",
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    /// The C interface as tables, kept apart from the rows.
    const EVENTS: &str = include_str!("../../tests/data/events.tsv");
    const STRUCTS: &str = include_str!("../../tests/data/structs.tsv");

    /// `path:type`, with `?` if it may be NULL and `@version` if not all messages have it.
    struct CMember<'t> {
        path: Vec<&'t str>,
        ctype: String,
        since: u32,
    }

    fn c_members(text: &'static str) -> Vec<CMember<'static>> {
        let mut members: Vec<CMember<'_>> = Vec::new();
        for word in text.split(' ').filter(|_| text != "(no members)") {
            match (word.split_once(':'), members.last_mut()) {
                (Some((path, ctype)), _) => members.push(CMember {
                    path: path.split('.').collect(),
                    ctype: ctype.to_owned(),
                    since: 1,
                }),
                (None, Some(last)) => last.ctype = format!("{} {word}", last.ctype),
                (None, None) => panic!("a type without a member: {text}"),
            }
        }
        for member in &mut members {
            if let Some((ctype, since)) = member.ctype.clone().split_once('@') {
                member.ctype = ctype.to_owned();
                member.since = since.trim_start_matches('v').parse().expect("a version");
            }
            member.ctype = member.ctype.replace(['?', '*'], "")
                + if member.ctype.contains('*') { "*" } else { "" };
            // The flag that says whether there is a uid is not written; the uid is a union of its own in C.
            if let [name, "uid"] = member.path[..] {
                member.path = vec![name];
            }
        }
        members.retain(|member| !member.path[0].starts_with("has_"));
        members
    }

    fn find<'c>(members: &'c [Member], path: &[&str]) -> &'c Member {
        let member = members.iter().find(|member| member.name == path[0]);
        let member = member.unwrap_or_else(|| panic!("the catalogue lacks {path:?}"));
        match (&member.kind, &path[1..]) {
            (_, []) => member,
            (Union(members) | Struct(members) | Either(members), rest) => find(members, rest),
            (kind, rest) => panic!("{path:?}: {kind:?} has no {rest:?}"),
        }
    }

    /// Returns true if a member of the C type may be of the kind.
    fn fits(ctype: &str, kind: &Kind) -> bool {
        match ctype {
            "bool" => matches!(kind, Bool),
            "es_file_t*" => matches!(kind, File | Directory(_)),
            "es_process_t*" => matches!(kind, Process),
            "audit_token_t" | "audit_token_t*" => matches!(kind, Token),
            "struct timespec" => matches!(kind, Time),
            "es_string_token_t" => matches!(kind, Text | Path),
            "acl_t" | "uuid_t" => matches!(kind, Text),
            "es_string_token_t*" => matches!(kind, Args | Env | Strings),
            "uuid_t*" => matches!(kind, Strings),
            "es_cdhash_t" | "es_sha256_t*" | "es_token_t" => matches!(kind, Hex),
            "es_authorization_result_t*" => matches!(kind, List(_)),
            "mode_t" => matches!(kind, Mode),
            "dev_t" => matches!(kind, Device),
            "user_addr_t" => matches!(kind, Address),
            "struct statfs*" | "struct attrlist" => matches!(kind, Struct(_)),
            ctype if ctype.ends_with("_t*") => matches!(kind, Struct(_)),
            ctype if ctype.starts_with("es_") && ctype != "es_graphical_session_id_t" => {
                matches!(kind, Kind::Enum(_))
            }
            _ => matches!(
                kind,
                Int | Kind::Flags(_) | Kind::Enum(_) | Flavor | CpuSubtype | WaitStatus
            ),
        }
    }

    fn check(members: &[Member], c: &'static str, structs: &HashMap<&str, &'static str>) {
        let mut named = HashSet::new();
        for CMember { path, ctype, since } in c_members(c) {
            let member = find(members, &path);
            named.insert(path[0]);
            assert!(
                fits(&ctype, &member.kind),
                "{path:?}: {ctype} as {:?}",
                member.kind
            );
            assert_eq!(member.since, since, "{path:?}");
            if let (Some(c), Struct(members)) =
                (structs.get(ctype.trim_end_matches('*')), &member.kind)
            {
                check(members, c, structs);
            }
        }
        // These are results of functions, not members.
        named.extend(["args", "env", "fds", "entitlements"]);
        for member in members {
            assert!(
                named.contains(member.name),
                "{} is no member in C",
                member.name
            );
        }
    }

    #[test]
    fn the_rows_say_what_the_c_interface_says() {
        let lines = |table: &'static str| {
            table
                .lines()
                .skip(1)
                .map(|line| line.split('\t').collect::<Vec<_>>())
        };
        let structs = lines(STRUCTS).map(|line| (line[0], line[1])).collect();
        let mut rows = ROWS.iter();
        for line in lines(EVENTS) {
            let row = rows.next().expect("a row for every event");
            assert_eq!(row.number.to_string(), line[0], "{}", row.name);
            assert_eq!(row.name, line[1]);
            assert_eq!(row.since.to_string(), line[2], "{}", row.name);
            check(row.members, line[3], &structs);
            let auth = row.auth.map(|number| number.to_string());
            assert_eq!(auth.unwrap_or_default(), line[4], "{}", row.name);
        }
        assert!(rows.next().is_none());
        for (name, c) in [
            ("es_fd_t", FD),
            ("es_authorization_result_t", AUTHORIZATION_RESULT),
        ] {
            check(c, structs[name], &structs);
        }
    }

    #[test]
    fn every_event_is_found_by_name_and_in_a_class() {
        for row in ROWS {
            assert!(std::ptr::eq(
                by_name(row.name.as_bytes()).expect("a row"),
                row
            ));
            assert_eq!(ROWS[row.index()].name, row.name);
            for number in [Some(row.number), row.auth].into_iter().flatten() {
                assert!(by_number(number).is_some_and(|found| std::ptr::eq(found, row)));
            }
            assert!(!row.classes.is_empty(), "{}", row.name);
            assert!(
                row.doc.starts_with(|c: char| c.is_alphabetic()) && !row.doc.ends_with('.'),
                "{}",
                row.name
            );
        }
        assert!(by_name(b"opne").is_none());
        for class in Class::all() {
            assert!(
                ROWS.iter().any(|row| row.classes.contains(class)),
                "{class:?}"
            );
        }
    }

    #[test]
    fn what_a_detail_is_beside_is_a_member_of_the_same_structure() {
        fn check(row: &Row, members: &[Member], within: &str) {
            for member in members {
                if let Detail::Beside(label) = member.detail {
                    let beside = row.member(within, label);
                    assert!(beside.is_some(), "{}: {}", row.name, member.name);
                }
                match member.kind {
                    Struct(members) => check(row, members, member.label),
                    Union(members) => check(row, members, within),
                    _ => {}
                }
            }
        }
        for row in ROWS {
            check(row, row.members, "");
        }
    }

    #[test]
    fn labels_are_unique_in_an_event() {
        fn labels(members: &[Member], within: &str, all: &mut Vec<String>) {
            for member in members {
                match member.kind {
                    Struct(members) => labels(members, member.label, all),
                    Union(members) => labels(members, within, all),
                    _ => all.push(format!("{within}.{}", member.label)),
                }
            }
        }
        for row in ROWS {
            let mut all = Vec::new();
            labels(row.members, "", &mut all);
            // Both arms of bootstrap_look_up's target have a job label; only one is ever set.
            all.retain(|label| label != ".job_label");
            let unique: HashSet<_> = all.iter().collect();
            assert_eq!(unique.len(), all.len(), "{}: {all:?}", row.name);
        }
    }
}
