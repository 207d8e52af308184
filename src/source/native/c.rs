//! The C interface: the declarations of endpoint-sec-sys, those that it doesn't have yet, and the way in which a member
//! of a C structure is read.
//!
//! The rows of the catalogue name the members. [`getter!`] makes a function from each, which the compiler checks
//! against the C structure. The function returns a [`Raw`]: the value of a member, by its C type.

#![allow(
    missing_docs,
    reason = "the members of C structures are documented in the header that each structure names"
)]
#![allow(
    non_camel_case_types,
    reason = "the names are those of the C interface, to be found by grep"
)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

pub use endpoint_sec_sys::*;

use crate::model::event::{Decision, Timestamp};

/// The value of a member of a C structure.
#[derive(Clone, Copy)]
pub enum Raw<'m> {
    /// Nothing, because it is in an arm of a union that isn't set.
    Absent,
    /// Nothing, because a pointer is NULL or a flag beside it says so.
    Null,
    /// `bool`.
    Bool(bool),
    /// Any integer or enumeration.
    Int(i128),
    /// `es_string_token_t`, or an array of `char`.
    Text(&'m [u8]),
    /// Bytes that aren't text.
    Bytes(&'m [u8]),
    /// `uuid_t`.
    Uuid(&'m [u8; 16]),
    /// `es_file_t`.
    File(&'m es_file_t),
    /// `es_process_t`.
    Process(ProcessRef<'m>),
    /// `audit_token_t`.
    Token(&'m audit_token_t),
    /// `struct timespec`.
    Time(Timestamp),
    /// A structure of the catalogue.
    Struct(Base),
    /// A list of structures or texts.
    List(List),
    /// `fsid_t`.
    Ints(&'m [i32; 2]),
    /// `acl_t`, which isn't NULL.
    Acl(acl_t),
    /// The exec whose entitlements are requested.
    Entitlements(*const es_event_exec_t),
}

/// A process of a message. It stays a raw pointer, because newer messages have more data behind an `es_process_t` than
/// a reference to one may read.
#[derive(Clone, Copy)]
pub struct ProcessRef<'m>(NonNull<es_process_t>, PhantomData<&'m es_process_t>);

impl<'m> ProcessRef<'m> {
    /// Creates a reference from a pointer; None if it is NULL.
    ///
    /// # Safety
    /// The process must be there for `'m`.
    pub unsafe fn new(process: *const es_process_t) -> Option<ProcessRef<'m>> {
        NonNull::new(process.cast_mut()).map(|process| ProcessRef(process, PhantomData))
    }

    /// The part of it that all messages have.
    pub fn get(self) -> &'m es_process_t {
        // SAFETY: the creator promised that it is there for 'm.
        unsafe { self.0.as_ref() }
    }

    /// The process with the members of newer messages.
    pub fn long(self) -> *const es_process_v11_t {
        self.0.as_ptr().cast()
    }
}

/// A C structure whose type the catalogue knows.
pub type Base = *const ();

/// The type of a function that reads a member from the structure at a [`Base`]: for a member of an event, the message's
/// `es_events_t`.
///
/// # Safety
/// There must be such a structure, of a message version that has the member. The result must not be kept for longer
/// than the message.
pub type Get = unsafe fn(Base) -> Raw<'static>;

/// A list of elements.
#[derive(Clone, Copy)]
pub struct List {
    /// The number of elements.
    pub count: usize,
    base: Base,
    at: unsafe fn(Base, usize) -> Raw<'static>,
}

impl List {
    /// The element at an index; None where the list has fewer.
    ///
    /// # Safety
    /// As for [`List::iter`].
    pub unsafe fn get<'m>(self, index: usize) -> Option<Raw<'m>> {
        // SAFETY: `at` and `base` belong together, and the index is below the count.
        (index < self.count).then(|| unsafe { (self.at)(self.base, index) })
    }

    /// The elements.
    ///
    /// # Safety
    /// The structure of the list must still be there, and stay for `'m`.
    pub unsafe fn iter<'m>(self) -> impl Iterator<Item = Raw<'m>> {
        // SAFETY: `at` and `base` belong together, and the index is below the count.
        (0..self.count).map(move |index| unsafe { (self.at)(self.base, index) })
    }
}

/// Makes a [`Get`] for a member of a structure, or of an event, which is an arm of `es_events_t`.
///
/// `[]` reads the C member of the same name, `[|e| EXPRESSION;]` the value of the expression for the structure `e`,
/// `[*|e| EXPRESSION;]` its value for a raw pointer to the structure, for data that lies behind it, and `[;]` nothing:
/// a union is read by its arms, and padding not at all.
macro_rules! getter {
    ($of:tt $name:ident [;]) => {{
        fn absent<'m>(_: $crate::source::native::c::Base) -> $crate::source::native::c::Raw<'m> {
            $crate::source::native::c::Raw::Absent
        }
        absent
    }};
    ($of:tt $name:ident []) => {
        $crate::source::native::c::getter!($of $name [|e| &e.$name;])
    };
    ($of:tt $name:ident [|$e:ident| $get:expr;]) => {
        $crate::source::native::c::getter!(@ $of base e, {
            let $e = &*e;
            $get
        })
    };
    ($of:tt $name:ident [*|$e:ident| $get:expr;]) => {
        $crate::source::native::c::getter!(@ $of base $e, { $get })
    };
    (@ (structure $struct:ident) $base:ident $e:ident, $get:block) => {
        $crate::source::native::c::getter!(@ get $base $e $get, {
            $base.cast::<$crate::source::native::c::$struct>()
        })
    };
    (@ (event $arm:ident) $base:ident $e:ident, $get:block) => {
        $crate::source::native::c::getter!(@ (event $arm es_events_t) $base $e, $get)
    };
    (@ (event $arm:ident $union:ident) $base:ident $e:ident, $get:block) => {
        $crate::source::native::c::getter!(@ get $base $e $get, {
            $crate::source::native::c::Arm::at(
                &raw const (*$base.cast::<$crate::source::native::c::$union>()).$arm
            )
        })
    };
    (@ get $base:ident $e:ident $get:block, $structure:block) => {{
        #[allow(unsafe_code, unused_imports, clippy::macro_metavars_in_unsafe)]
        unsafe fn get<'m>($base: $crate::source::native::c::Base) -> $crate::source::native::c::Raw<'m> {
            use $crate::source::native::c::*;
            // SAFETY: the caller promises that the structure is there and has the member. A union's arm is read only if
            // the member beside it says that this arm is set.
            unsafe {
                let $e = $structure;
                if $e.is_null() { Raw::Absent } else { IntoRaw::raw($get) }
            }
        }
        get
    }};
}
pub(crate) use getter;

/// An arm of `es_events_t`: a structure, or a pointer to one for events since macOS 13.
pub trait Arm<T> {
    /// The address of the structure; NULL if the arm is a pointer that is NULL.
    ///
    /// # Safety
    /// It must be the arm that is set.
    unsafe fn at(this: *const Self) -> *const T;
}

impl<T> Arm<T> for ManuallyDrop<T> {
    unsafe fn at(this: *const Self) -> *const T {
        this.cast()
    }
}

impl<T> Arm<T> for ShouldNotBeNull<T> {
    unsafe fn at(this: *const Self) -> *const T {
        // SAFETY: the caller promises that it is there.
        unsafe { (*this).as_ptr() }
    }
}

impl<T> Arm<T> for *const T {
    unsafe fn at(this: *const Self) -> *const T {
        // SAFETY: the caller promises that it is there.
        unsafe { *this }
    }
}

/// The value of a member, by its C type.
pub trait IntoRaw<'m> {
    /// The value.
    ///
    /// # Safety
    /// The memory that it points to must be there for `'m`.
    unsafe fn raw(self) -> Raw<'m>;
}

impl<'m> IntoRaw<'m> for Raw<'m> {
    unsafe fn raw(self) -> Raw<'m> {
        self
    }
}

impl<'m> IntoRaw<'m> for Option<u64> {
    unsafe fn raw(self) -> Raw<'m> {
        self.map_or(Raw::Absent, |int| Raw::Int(int.into()))
    }
}

impl<'m> IntoRaw<'m> for &'m bool {
    unsafe fn raw(self) -> Raw<'m> {
        Raw::Bool(*self)
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl<'m> IntoRaw<'m> for &'m $int {
            unsafe fn raw(self) -> Raw<'m> {
                Raw::Int((*self).into())
            }
        }
    )*};
}

integers!(u16 i32 u32 u64);

impl<'m> IntoRaw<'m> for &'m usize {
    unsafe fn raw(self) -> Raw<'m> {
        Raw::Int(*self as i128)
    }
}

macro_rules! enumerations {
    ($($name:ident)*) => {$(
        impl<'m> IntoRaw<'m> for &'m $name {
            unsafe fn raw(self) -> Raw<'m> {
                Raw::Int(self.0.into())
            }
        }
    )*};
}

enumerations! {
    es_address_type_t es_authentication_type_t es_authorization_rule_class_t es_auto_unlock_type_t
    es_btm_item_type_t es_destination_type_t es_gatekeeper_user_override_file_type_t es_get_task_type_t
    es_mount_disposition_t es_od_account_type_t es_od_member_type_t es_od_record_type_t
    es_openssh_login_result_type_t es_proc_check_type_t es_proc_suspend_resume_type_t es_profile_source_t
    es_set_or_clear_t es_sudo_plugin_type_t es_tcc_authorization_reason_t es_tcc_authorization_right_t
    es_tcc_event_type_t es_tcc_identity_type_t es_touchid_mode_t es_xpc_domain_type_t
}

impl<'m> IntoRaw<'m> for &'m timespec {
    unsafe fn raw(self) -> Raw<'m> {
        Raw::Time(time_of(*self))
    }
}

impl<'m> IntoRaw<'m> for &'m es_string_token_t {
    unsafe fn raw(self) -> Raw<'m> {
        // SAFETY: the caller keeps the message for 'm.
        unsafe { text(self) }.map_or(Raw::Null, Raw::Text)
    }
}

impl<'m> IntoRaw<'m> for &'m es_token_t {
    unsafe fn raw(self) -> Raw<'m> {
        if self.data.is_null() {
            return Raw::Null;
        }
        // SAFETY: a token's data has its size, and the caller keeps the message for 'm.
        Raw::Bytes(unsafe { std::slice::from_raw_parts(self.data, self.size) })
    }
}

impl<'m> IntoRaw<'m> for &'m es_cdhash_t {
    unsafe fn raw(self) -> Raw<'m> {
        Raw::Bytes(&self[..])
    }
}

impl<'m> IntoRaw<'m> for &'m [u8; 16] {
    unsafe fn raw(self) -> Raw<'m> {
        Raw::Uuid(self)
    }
}

impl<'m, const N: usize> IntoRaw<'m> for &'m [c_char; N] {
    unsafe fn raw(self) -> Raw<'m> {
        // SAFETY: a char is a byte.
        let bytes = unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), N) };
        Raw::Text(bytes.split(|byte| *byte == 0).next().unwrap_or(bytes))
    }
}

impl<'m> IntoRaw<'m> for &'m libc::fsid_t {
    unsafe fn raw(self) -> Raw<'m> {
        const { assert!(size_of::<libc::fsid_t>() == 8) };
        // SAFETY: it consists of two int32_t (<sys/_types/_fsid_t.h>), which the libc crate hides.
        Raw::Ints(unsafe { &*std::ptr::from_ref(self).cast() })
    }
}

impl<'m> IntoRaw<'m> for &'m audit_token_t {
    unsafe fn raw(self) -> Raw<'m> {
        Raw::Token(self)
    }
}

impl<'m> IntoRaw<'m> for &'m attrlist {
    unsafe fn raw(self) -> Raw<'m> {
        Raw::Struct(std::ptr::from_ref(self).cast())
    }
}

impl<'m> IntoRaw<'m> for &'m acl_t {
    unsafe fn raw(self) -> Raw<'m> {
        if self.is_null() {
            Raw::Null
        } else {
            Raw::Acl(*self)
        }
    }
}

/// The value behind a pointer to a structure.
pub trait Pointee<'m>: Sized + 'm {
    /// The value.
    ///
    /// # Safety
    /// It must be there for `'m`.
    unsafe fn raw(pointer: NonNull<Self>) -> Raw<'m>;
}

impl<'m> Pointee<'m> for es_file_t {
    unsafe fn raw(pointer: NonNull<Self>) -> Raw<'m> {
        // SAFETY: the caller promises that it is there.
        Raw::File(unsafe { pointer.as_ref() })
    }
}

impl<'m> Pointee<'m> for es_process_t {
    unsafe fn raw(pointer: NonNull<Self>) -> Raw<'m> {
        Raw::Process(ProcessRef(pointer, PhantomData))
    }
}

impl<'m> Pointee<'m> for audit_token_t {
    unsafe fn raw(pointer: NonNull<Self>) -> Raw<'m> {
        // SAFETY: the caller promises that it is there.
        Raw::Token(unsafe { pointer.as_ref() })
    }
}

impl<'m> Pointee<'m> for es_sha256_t {
    unsafe fn raw(pointer: NonNull<Self>) -> Raw<'m> {
        // SAFETY: the caller promises that it is there.
        Raw::Bytes(unsafe { &pointer.as_ref()[..] })
    }
}

macro_rules! structures {
    ($($name:ident)*) => {$(
        impl<'m> Pointee<'m> for $name {
            unsafe fn raw(pointer: NonNull<Self>) -> Raw<'m> {
                Raw::Struct(pointer.as_ptr().cast_const().cast())
            }
        }
    )*};
}

structures! {
    statfs es_btm_launch_item_t es_od_member_id_t es_od_member_id_array_t es_profile_t es_signed_file_info_t
    es_sudo_reject_info_t es_thread_state_t
}

impl<'m, T: Pointee<'m>> IntoRaw<'m> for &'m *mut T {
    unsafe fn raw(self) -> Raw<'m> {
        // SAFETY: the pointer leads into the message, which the caller keeps for 'm.
        NonNull::new(*self).map_or(Raw::Null, |pointer| unsafe { T::raw(pointer) })
    }
}

impl<'m, T: Pointee<'m>> IntoRaw<'m> for &'m ShouldNotBeNull<T> {
    unsafe fn raw(self) -> Raw<'m> {
        // SAFETY: the pointer leads into the message, which the caller keeps for 'm. It should not be NULL, but has
        // been.
        NonNull::new(self.as_ptr().cast_mut())
            .map_or(Raw::Null, |pointer| unsafe { T::raw(pointer) })
    }
}

/// The text of a token; None if there is none, which isn't the same as an empty one.
///
/// # Safety
/// The memory that the token points to must be there for `'m`.
pub unsafe fn text<'m>(token: &es_string_token_t) -> Option<&'m [u8]> {
    if token.data.is_null() {
        return None;
    }
    // SAFETY: a token's data has its length; the caller keeps it.
    Some(unsafe { std::slice::from_raw_parts(token.data.cast(), token.length) })
}

/// A time of the C library.
pub fn time_of(time: timespec) -> Timestamp {
    Timestamp {
        seconds: time.tv_sec,
        nanos: u32::try_from(time.tv_nsec).unwrap_or(0),
    }
}

/// A member of a union's arm, if the arm is set.
///
/// # Safety
/// As for [`IntoRaw::raw`], if the arm is set.
pub unsafe fn arm<'m>(is_set: bool, member: impl IntoRaw<'m>) -> Raw<'m> {
    if !is_set {
        return Raw::Absent;
    }
    // SAFETY: the arm is set; the caller promises the rest.
    unsafe { member.raw() }
}

/// A member that has a flag beside it for whether it is there.
///
/// # Safety
/// As for [`IntoRaw::raw`], if it is there.
pub unsafe fn optional<'m>(is_there: bool, member: impl IntoRaw<'m>) -> Raw<'m> {
    if !is_there {
        return Raw::Null;
    }
    // SAFETY: it is there; the caller promises the rest.
    unsafe { member.raw() }
}

/// A structure of the catalogue behind a pointer.
pub fn structure<'m, T>(pointer: *const T) -> Raw<'m> {
    if pointer.is_null() {
        Raw::Null
    } else {
        Raw::Struct(pointer.cast())
    }
}

fn list_of<'m>(base: Base, count: usize, at: unsafe fn(Base, usize) -> Raw<'static>) -> Raw<'m> {
    // A count without an array would be a bug of macOS; there is nothing to be shown.
    let count = if base.is_null() { 0 } else { count };
    Raw::List(List { count, base, at })
}

/// An array of text.
pub fn strings<'m>(array: *const es_string_token_t, count: usize) -> Raw<'m> {
    unsafe fn at<'m>(base: Base, index: usize) -> Raw<'m> {
        // SAFETY: the list's caller keeps the array and stays below its count.
        let token = unsafe { &*base.cast::<es_string_token_t>().add(index) };
        // SAFETY: the same holds for the data of its elements. An element can't be NULL by itself.
        Raw::Text(unsafe { text(token) }.unwrap_or_default())
    }
    list_of(array.cast(), count, at)
}

/// An array of UUIDs.
pub fn uuids<'m>(array: *const [u8; 16], count: usize) -> Raw<'m> {
    unsafe fn at<'m>(base: Base, index: usize) -> Raw<'m> {
        // SAFETY: the list's caller keeps the array and stays below its count.
        Raw::Uuid(unsafe { &*base.cast::<[u8; 16]>().add(index) })
    }
    list_of(array.cast(), count, at)
}

/// An array of structures.
pub fn list<'m, T>(array: *const T, count: usize) -> Raw<'m> {
    unsafe fn at<'m, T>(base: Base, index: usize) -> Raw<'m> {
        // SAFETY: the list's caller keeps the array and stays below its count.
        Raw::Struct(unsafe { base.cast::<T>().add(index) }.cast())
    }
    list_of(array.cast(), count, at::<T>)
}

/// The lists that the functions for an exec return.
macro_rules! of_exec {
    ($($(#[$doc:meta])* $name:ident: $count:ident $each:ident($token:ident) => $raw:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// It must be the exec of a message.
        pub unsafe fn $name<'m>(exec: *const es_event_exec_t) -> Raw<'m> {
            #[allow(clippy::cast_possible_truncation, reason = "the index is below a count of 32 bits")]
            unsafe fn at<'m>(base: Base, index: usize) -> Raw<'m> {
                // SAFETY: the base is the exec of a message that the list's caller keeps, and the index is
                // below the count that macOS gave.
                unsafe {
                    let $token = $each(&*base.cast(), index as u32);
                    $raw
                }
            }
            // SAFETY: the caller promises that it is the exec of a message.
            let count = unsafe { $count(&*exec) };
            list_of(exec.cast(), count as usize, at)
        }
    )*};
}

of_exec! {
    /// The arguments.
    exec_args: es_exec_arg_count es_exec_arg(token) => Raw::Text(text(&token).unwrap_or_default());
    /// The environment.
    exec_env: es_exec_env_count es_exec_env(token) => Raw::Text(text(&token).unwrap_or_default());
    /// The file descriptors.
    exec_fds: es_exec_fd_count es_exec_fd(fd) => structure(fd.as_ptr());
}

/// The entitlements of the program.
pub fn exec_entitlements<'m>(exec: *const es_event_exec_t) -> Raw<'m> {
    Raw::Entitlements(exec)
}

/// `es_process_t` with the members that messages have since version 10 (macOS 26) and version 11 (macOS 27).
#[repr(C)]
pub struct es_process_v11_t {
    head: ManuallyDrop<es_process_t>,
    /// `es_cs_validation_category_t`, since version 10.
    pub cs_validation_category: u32,
    reserved: [u8; 16],
    /// The code directory hash, not truncated to 20 bytes; since version 11.
    pub cdhash_full: es_token_t,
}

/// `es_event_iokit_open_t` since version 10.
#[repr(C)]
pub struct es_event_iokit_open_v10_t {
    user_client_type: u32,
    user_client_class: es_string_token_t,
    /// The registry entry that the driver is attached to.
    pub parent_registry_id: u64,
    /// Its path.
    pub parent_path: es_string_token_t,
}

/// `es_event_xp_malware_detected_t` since version 10.
#[repr(C)]
pub struct es_event_xp_malware_detected_v10_t {
    head: ManuallyDrop<es_event_xp_malware_detected_t>,
    /// The program in which it was found.
    pub detected_executable: es_string_token_t,
}

/// `es_lightweight_code_requirement_t`, macOS 27.
#[repr(C)]
pub struct es_lightweight_code_requirement_t {
    pub team_id: es_string_token_t,
    pub signing_id: es_string_token_t,
}

/// `es_event_bootstrap_check_in_t`, macOS 27.
#[repr(C)]
pub struct es_event_bootstrap_check_in_t {
    pub instigator: *mut es_process_t,
    pub instigator_token: audit_token_t,
    pub service_name: es_string_token_t,
}

/// `es_event_bootstrap_look_up_t`, macOS 27.
#[repr(C)]
pub struct es_event_bootstrap_look_up_t {
    pub instigator: *mut es_process_t,
    pub instigator_token: audit_token_t,
    pub service_name: es_string_token_t,
    pub target_type: u32,
    pub target: es_bootstrap_target_t,
}

/// The union in [`es_event_bootstrap_look_up_t`].
#[repr(C)]
pub union es_bootstrap_target_t {
    pub process: ManuallyDrop<es_bootstrap_target_process_t>,
    pub job: ManuallyDrop<es_bootstrap_target_job_t>,
}

/// `ES_BOOTSTRAP_TARGET_TYPE_PROCESS`
#[repr(C)]
pub struct es_bootstrap_target_process_t {
    pub target: *mut es_process_t,
    pub target_token: audit_token_t,
    pub job_label: es_string_token_t,
}

/// `ES_BOOTSTRAP_TARGET_TYPE_JOB`
#[repr(C)]
pub struct es_bootstrap_target_job_t {
    pub job_label: es_string_token_t,
    pub lwcr: *const es_lightweight_code_requirement_t,
}

/// The arms that `es_events_t` has since macOS 27.
#[repr(C)]
pub union es_events_v27_t {
    pub bootstrap_check_in: *const es_event_bootstrap_check_in_t,
    pub bootstrap_look_up: *const es_event_bootstrap_look_up_t,
}

/// The decision about an operation that has been done: `es_message_t.action.notify`. None in a message that asks for an
/// answer, which has an id there instead.
pub fn decision(message: &es_message_t) -> Option<Decision> {
    if message.action_type != es_action_type_t::ES_ACTION_TYPE_NOTIFY {
        return None;
    }
    // SAFETY: a message of this type has this arm, and every part of it is a number.
    unsafe {
        let notify = &message.action.notify;
        Some(match notify.result_type {
            es_result_type_t::ES_RESULT_TYPE_FLAGS => Decision::Flags(notify.result.flags),
            _ => Decision::Auth(notify.result.auth.0.into()),
        })
    }
}
