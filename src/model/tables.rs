//! Flags and enumerations of macOS by name.
//!
//! The numbers are macOS's on every host: nothing here comes from the machine that the program runs on. Each table says
//! which header it was taken from. If a table has no name for a bit or a value, whoever prints it must print it as a
//! number.

#![allow(
    clippy::unreadable_literal,
    reason = "the numbers are as the headers write them, to be found by grep"
)]

/// An enumeration: values and their names, in the order of the header.
#[derive(Debug)]
pub struct Enum(pub &'static [(i32, &'static str)]);

impl Enum {
    /// The name of `value`, if it has one.
    pub fn name(&self, value: i128) -> Option<&'static str> {
        self.0
            .iter()
            .find(|(number, _)| i128::from(*number) == value)
            .map(|(_, name)| *name)
    }

    /// Returns true if the name of `value` in an enumeration of results says success.
    pub fn is_success(&self, value: i128) -> bool {
        self.name(value)
            .is_some_and(|name| name.to_ascii_lowercase().ends_with("success"))
    }
}

/// A set of flags.
#[derive(Debug)]
pub struct Flags {
    /// The name of the empty set, if it has one (`PROT_NONE`).
    pub zero: Option<&'static str>,
    /// The members, larger sets before their parts.
    pub bits: &'static [Bits],
}

/// One name of a set of flags: it stands for `value` in the bits of `mask`.
#[derive(Debug)]
pub struct Bits {
    mask: u32,
    value: u32,
    /// The name in the header.
    pub name: &'static str,
}

/// A flag, or a set of them that has a name of its own.
const fn bit(value: u32, name: &'static str) -> Bits {
    Bits {
        mask: value,
        value,
        name,
    }
}

/// A value of an enumeration that shares its word with flags.
const fn field(mask: u32, value: u32, name: &'static str) -> Bits {
    Bits { mask, value, name }
}

impl Flags {
    /// Calls `each` with the name of each flag that is set in `bits`, and returns the bits that have no name.
    ///
    /// Bits above the 32nd never have one.
    pub fn names(&self, bits: u64, mut each: impl FnMut(&'static str)) -> u64 {
        let mut rest = bits;
        let mut open = u32::MAX;
        for entry in self.bits {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the tables name the low 32 bits"
            )]
            let low = bits as u32;
            if low & entry.mask == entry.value && open & entry.mask == entry.mask {
                each(entry.name);
                open &= !entry.mask;
                rest &= !u64::from(entry.mask);
            }
        }
        rest
    }
}

/// The part of a CPU subtype that is a number; the bits above it are capabilities.
const CPU_SUBTYPE: u32 = 0x00ff_ffff;

/// `es_address_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static ADDRESS_TYPE: Enum = Enum(&[
    (0, "ES_ADDRESS_TYPE_NONE"),
    (1, "ES_ADDRESS_TYPE_IPV4"),
    (2, "ES_ADDRESS_TYPE_IPV6"),
    (3, "ES_ADDRESS_TYPE_NAMED_SOCKET"),
]);

/// `es_authentication_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static AUTHENTICATION_TYPE: Enum = Enum(&[
    (0, "ES_AUTHENTICATION_TYPE_OD"),
    (1, "ES_AUTHENTICATION_TYPE_TOUCHID"),
    (2, "ES_AUTHENTICATION_TYPE_TOKEN"),
    (3, "ES_AUTHENTICATION_TYPE_AUTO_UNLOCK"),
]);

/// `es_authorization_rule_class_t`, `<EndpointSecurity/ESTypes.h>`.
pub static AUTHORIZATION_RULE_CLASS: Enum = Enum(&[
    (0, "ES_AUTHORIZATION_RULE_CLASS_USER"),
    (1, "ES_AUTHORIZATION_RULE_CLASS_RULE"),
    (2, "ES_AUTHORIZATION_RULE_CLASS_MECHANISM"),
    (3, "ES_AUTHORIZATION_RULE_CLASS_ALLOW"),
    (4, "ES_AUTHORIZATION_RULE_CLASS_DENY"),
    (5, "ES_AUTHORIZATION_RULE_CLASS_UNKNOWN"),
    (6, "ES_AUTHORIZATION_RULE_CLASS_INVALID"),
]);

/// `es_auto_unlock_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static AUTO_UNLOCK_TYPE: Enum = Enum(&[
    (1, "ES_AUTO_UNLOCK_MACHINE_UNLOCK"),
    (2, "ES_AUTO_UNLOCK_AUTH_PROMPT"),
]);

/// `es_bootstrap_target_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static BOOTSTRAP_TARGET_TYPE: Enum = Enum(&[
    (0, "ES_BOOTSTRAP_TARGET_TYPE_PROCESS"),
    (1, "ES_BOOTSTRAP_TARGET_TYPE_JOB"),
]);

/// `es_btm_item_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static BTM_ITEM_TYPE: Enum = Enum(&[
    (0, "ES_BTM_ITEM_TYPE_USER_ITEM"),
    (1, "ES_BTM_ITEM_TYPE_APP"),
    (2, "ES_BTM_ITEM_TYPE_LOGIN_ITEM"),
    (3, "ES_BTM_ITEM_TYPE_AGENT"),
    (4, "ES_BTM_ITEM_TYPE_DAEMON"),
]);

/// `es_destination_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static DESTINATION_TYPE: Enum = Enum(&[
    (0, "ES_DESTINATION_TYPE_EXISTING_FILE"),
    (1, "ES_DESTINATION_TYPE_NEW_PATH"),
]);

/// `es_gatekeeper_user_override_file_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static GATEKEEPER_USER_OVERRIDE_FILE_TYPE: Enum = Enum(&[
    (0, "ES_GATEKEEPER_USER_OVERRIDE_FILE_TYPE_PATH"),
    (1, "ES_GATEKEEPER_USER_OVERRIDE_FILE_TYPE_FILE"),
]);

/// `es_get_task_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static GET_TASK_TYPE: Enum = Enum(&[
    (0, "ES_GET_TASK_TYPE_TASK_FOR_PID"),
    (1, "ES_GET_TASK_TYPE_EXPOSE_TASK"),
    (2, "ES_GET_TASK_TYPE_IDENTITY_TOKEN"),
]);

/// `es_mount_disposition_t`, `<EndpointSecurity/ESTypes.h>`.
pub static MOUNT_DISPOSITION: Enum = Enum(&[
    (0, "ES_MOUNT_DISPOSITION_EXTERNAL"),
    (1, "ES_MOUNT_DISPOSITION_INTERNAL"),
    (2, "ES_MOUNT_DISPOSITION_NETWORK"),
    (3, "ES_MOUNT_DISPOSITION_VIRTUAL"),
    (4, "ES_MOUNT_DISPOSITION_NULLFS"),
    (5, "ES_MOUNT_DISPOSITION_UNKNOWN"),
]);

/// `es_od_account_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static OD_ACCOUNT_TYPE: Enum = Enum(&[
    (0, "ES_OD_ACCOUNT_TYPE_USER"),
    (1, "ES_OD_ACCOUNT_TYPE_COMPUTER"),
]);

/// `es_od_member_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static OD_MEMBER_TYPE: Enum = Enum(&[
    (0, "ES_OD_MEMBER_TYPE_USER_NAME"),
    (1, "ES_OD_MEMBER_TYPE_USER_UUID"),
    (2, "ES_OD_MEMBER_TYPE_GROUP_UUID"),
]);

/// `es_od_record_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static OD_RECORD_TYPE: Enum = Enum(&[
    (0, "ES_OD_RECORD_TYPE_USER"),
    (1, "ES_OD_RECORD_TYPE_GROUP"),
]);

/// `es_cs_validation_category_t`, `<EndpointSecurity/ESTypes.h>` of macOS 26.
pub static CS_VALIDATION_CATEGORY: Enum = Enum(&[
    (0, "ES_CS_VALIDATION_CATEGORY_INVALID"),
    (1, "ES_CS_VALIDATION_CATEGORY_PLATFORM"),
    (2, "ES_CS_VALIDATION_CATEGORY_TESTFLIGHT"),
    (3, "ES_CS_VALIDATION_CATEGORY_DEVELOPMENT"),
    (4, "ES_CS_VALIDATION_CATEGORY_APP_STORE"),
    (5, "ES_CS_VALIDATION_CATEGORY_ENTERPRISE"),
    (6, "ES_CS_VALIDATION_CATEGORY_DEVELOPER_ID"),
    (7, "ES_CS_VALIDATION_CATEGORY_LOCAL_SIGNING"),
    (8, "ES_CS_VALIDATION_CATEGORY_ROSETTA"),
    (9, "ES_CS_VALIDATION_CATEGORY_OOPJIT"),
    (10, "ES_CS_VALIDATION_CATEGORY_NONE"),
]);

/// `es_action_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static ACTION_TYPE: Enum = Enum(&[(0, "ES_ACTION_TYPE_AUTH"), (1, "ES_ACTION_TYPE_NOTIFY")]);

/// `es_auth_result_t`, `<EndpointSecurity/ESTypes.h>`.
pub static AUTH_RESULT: Enum = Enum(&[(0, "ES_AUTH_RESULT_ALLOW"), (1, "ES_AUTH_RESULT_DENY")]);

/// `es_openssh_login_result_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static OPENSSH_LOGIN_RESULT_TYPE: Enum = Enum(&[
    (0, "ES_OPENSSH_LOGIN_EXCEED_MAXTRIES"),
    (1, "ES_OPENSSH_LOGIN_ROOT_DENIED"),
    (2, "ES_OPENSSH_AUTH_SUCCESS"),
    (3, "ES_OPENSSH_AUTH_FAIL_NONE"),
    (4, "ES_OPENSSH_AUTH_FAIL_PASSWD"),
    (5, "ES_OPENSSH_AUTH_FAIL_KBDINT"),
    (6, "ES_OPENSSH_AUTH_FAIL_PUBKEY"),
    (7, "ES_OPENSSH_AUTH_FAIL_HOSTBASED"),
    (8, "ES_OPENSSH_AUTH_FAIL_GSSAPI"),
    (9, "ES_OPENSSH_INVALID_USER"),
]);

/// `es_proc_check_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static PROC_CHECK_TYPE: Enum = Enum(&[
    (1, "ES_PROC_CHECK_TYPE_LISTPIDS"),
    (2, "ES_PROC_CHECK_TYPE_PIDINFO"),
    (3, "ES_PROC_CHECK_TYPE_PIDFDINFO"),
    (4, "ES_PROC_CHECK_TYPE_KERNMSGBUF"),
    (5, "ES_PROC_CHECK_TYPE_SETCONTROL"),
    (6, "ES_PROC_CHECK_TYPE_PIDFILEPORTINFO"),
    (7, "ES_PROC_CHECK_TYPE_TERMINATE"),
    (8, "ES_PROC_CHECK_TYPE_DIRTYCONTROL"),
    (9, "ES_PROC_CHECK_TYPE_PIDRUSAGE"),
    (14, "ES_PROC_CHECK_TYPE_UDATA_INFO"),
]);

/// `es_proc_suspend_resume_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static PROC_SUSPEND_RESUME_TYPE: Enum = Enum(&[
    (0, "ES_PROC_SUSPEND_RESUME_TYPE_SUSPEND"),
    (1, "ES_PROC_SUSPEND_RESUME_TYPE_RESUME"),
    (3, "ES_PROC_SUSPEND_RESUME_TYPE_SHUTDOWN_SOCKETS"),
]);

/// `es_profile_source_t`, `<EndpointSecurity/ESTypes.h>`.
pub static PROFILE_SOURCE: Enum = Enum(&[
    (0, "ES_PROFILE_SOURCE_MANAGED"),
    (1, "ES_PROFILE_SOURCE_INSTALL"),
]);

/// `es_set_or_clear_t`, `<EndpointSecurity/ESTypes.h>`.
pub static SET_OR_CLEAR: Enum = Enum(&[(0, "ES_SET"), (1, "ES_CLEAR")]);

/// `es_sudo_plugin_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static SUDO_PLUGIN_TYPE: Enum = Enum(&[
    (0, "ES_SUDO_PLUGIN_TYPE_UNKNOWN"),
    (1, "ES_SUDO_PLUGIN_TYPE_FRONT_END"),
    (2, "ES_SUDO_PLUGIN_TYPE_POLICY"),
    (3, "ES_SUDO_PLUGIN_TYPE_IO"),
    (4, "ES_SUDO_PLUGIN_TYPE_AUDIT"),
    (5, "ES_SUDO_PLUGIN_TYPE_APPROVAL"),
]);

/// `es_tcc_authorization_reason_t`, `<EndpointSecurity/ESTypes.h>`.
pub static TCC_AUTHORIZATION_REASON: Enum = Enum(&[
    (0, "ES_TCC_AUTHORIZATION_REASON_NONE"),
    (1, "ES_TCC_AUTHORIZATION_REASON_ERROR"),
    (2, "ES_TCC_AUTHORIZATION_REASON_USER_CONSENT"),
    (3, "ES_TCC_AUTHORIZATION_REASON_USER_SET"),
    (4, "ES_TCC_AUTHORIZATION_REASON_SYSTEM_SET"),
    (5, "ES_TCC_AUTHORIZATION_REASON_SERVICE_POLICY"),
    (6, "ES_TCC_AUTHORIZATION_REASON_MDM_POLICY"),
    (7, "ES_TCC_AUTHORIZATION_REASON_SERVICE_OVERRIDE_POLICY"),
    (8, "ES_TCC_AUTHORIZATION_REASON_MISSING_USAGE_STRING"),
    (9, "ES_TCC_AUTHORIZATION_REASON_PROMPT_TIMEOUT"),
    (10, "ES_TCC_AUTHORIZATION_REASON_PREFLIGHT_UNKNOWN"),
    (11, "ES_TCC_AUTHORIZATION_REASON_ENTITLED"),
    (12, "ES_TCC_AUTHORIZATION_REASON_APP_TYPE_POLICY"),
    (13, "ES_TCC_AUTHORIZATION_REASON_PROMPT_CANCEL"),
]);

/// `es_tcc_authorization_right_t`, `<EndpointSecurity/ESTypes.h>`.
pub static TCC_AUTHORIZATION_RIGHT: Enum = Enum(&[
    (0, "ES_TCC_AUTHORIZATION_RIGHT_DENIED"),
    (1, "ES_TCC_AUTHORIZATION_RIGHT_UNKNOWN"),
    (2, "ES_TCC_AUTHORIZATION_RIGHT_ALLOWED"),
    (3, "ES_TCC_AUTHORIZATION_RIGHT_LIMITED"),
    (4, "ES_TCC_AUTHORIZATION_RIGHT_ADD_MODIFY_ADDED"),
    (5, "ES_TCC_AUTHORIZATION_RIGHT_SESSION_PID"),
    (6, "ES_TCC_AUTHORIZATION_RIGHT_LEARN_MORE"),
]);

/// `es_tcc_event_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static TCC_EVENT_TYPE: Enum = Enum(&[
    (0, "ES_TCC_EVENT_TYPE_UNKNOWN"),
    (1, "ES_TCC_EVENT_TYPE_CREATE"),
    (2, "ES_TCC_EVENT_TYPE_MODIFY"),
    (3, "ES_TCC_EVENT_TYPE_DELETE"),
]);

/// `es_tcc_identity_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static TCC_IDENTITY_TYPE: Enum = Enum(&[
    (0, "ES_TCC_IDENTITY_TYPE_BUNDLE_ID"),
    (1, "ES_TCC_IDENTITY_TYPE_EXECUTABLE_PATH"),
    (2, "ES_TCC_IDENTITY_TYPE_POLICY_ID"),
    (3, "ES_TCC_IDENTITY_TYPE_FILE_PROVIDER_DOMAIN_ID"),
]);

/// `es_touchid_mode_t`, `<EndpointSecurity/ESTypes.h>`.
pub static TOUCHID_MODE: Enum = Enum(&[
    (0, "ES_TOUCHID_MODE_VERIFICATION"),
    (1, "ES_TOUCHID_MODE_IDENTIFICATION"),
]);

/// `es_xpc_domain_type_t`, `<EndpointSecurity/ESTypes.h>`.
pub static XPC_DOMAIN_TYPE: Enum = Enum(&[
    (1, "ES_XPC_DOMAIN_TYPE_SYSTEM"),
    (2, "ES_XPC_DOMAIN_TYPE_USER"),
    (3, "ES_XPC_DOMAIN_TYPE_USER_LOGIN"),
    (4, "ES_XPC_DOMAIN_TYPE_SESSION"),
    (5, "ES_XPC_DOMAIN_TYPE_PID"),
    (6, "ES_XPC_DOMAIN_TYPE_MANAGER"),
    (7, "ES_XPC_DOMAIN_TYPE_PORT"),
    (8, "ES_XPC_DOMAIN_TYPE_GUI"),
]);

/// Code-signing flags (`osfmk/kern/cs_blobs.h`). Newer sources call 0x2000000 `CS_NO_UNTRUSTED_HELPERS`.
pub static CODESIGNING_FLAGS: Flags = Flags {
    zero: None,
    bits: &[
        bit(0x1, "CS_VALID"),
        bit(0x2, "CS_ADHOC"),
        bit(0x4, "CS_GET_TASK_ALLOW"),
        bit(0x8, "CS_INSTALLER"),
        bit(0x10, "CS_FORCED_LV"),
        bit(0x20, "CS_INVALID_ALLOWED"),
        bit(0x100, "CS_HARD"),
        bit(0x200, "CS_KILL"),
        bit(0x400, "CS_CHECK_EXPIRATION"),
        bit(0x800, "CS_RESTRICT"),
        bit(0x1000, "CS_ENFORCEMENT"),
        bit(0x2000, "CS_REQUIRE_LV"),
        bit(0x4000, "CS_ENTITLEMENTS_VALIDATED"),
        bit(0x8000, "CS_NVRAM_UNRESTRICTED"),
        bit(0x10000, "CS_RUNTIME"),
        bit(0x20000, "CS_LINKER_SIGNED"),
        bit(0x100000, "CS_EXEC_SET_HARD"),
        bit(0x200000, "CS_EXEC_SET_KILL"),
        bit(0x400000, "CS_EXEC_SET_ENFORCEMENT"),
        bit(0x800000, "CS_EXEC_INHERIT_SIP"),
        bit(0x1000000, "CS_KILLED"),
        bit(0x2000000, "CS_DYLD_PLATFORM"),
        bit(0x4000000, "CS_PLATFORM_BINARY"),
        bit(0x8000000, "CS_PLATFORM_PATH"),
        bit(0x10000000, "CS_DEBUGGED"),
        bit(0x20000000, "CS_SIGNED"),
        bit(0x40000000, "CS_DEV_CODE"),
        bit(0x80000000, "CS_DATAVAULT_CONTROLLER"),
    ],
};

/// `open.fflag`: the kernel's form of open(2)'s flags (`FFLAGS()`, `bsd/sys/fcntl.h`): FREAD and FWRITE in place of
/// `O_ACCMODE`.
pub static FFLAG: Flags = Flags {
    zero: None,
    bits: &[
        bit(0x4010_0000, "O_SEARCH"),
        bit(0x1, "FREAD"),
        bit(0x2, "FWRITE"),
        bit(0x4, "O_NONBLOCK"),
        bit(0x8, "O_APPEND"),
        bit(0x10, "O_SHLOCK"),
        bit(0x20, "O_EXLOCK"),
        bit(0x40, "O_ASYNC"),
        bit(0x80, "O_SYNC"),
        bit(0x100, "O_NOFOLLOW"),
        bit(0x200, "O_CREAT"),
        bit(0x400, "O_TRUNC"),
        bit(0x800, "O_EXCL"),
        bit(0x1000, "O_RESOLVE_BENEATH"),
        bit(0x2000, "O_UNIQUE"),
        bit(0x4000, "FWASLOCKED"),
        bit(0x8000, "O_EVTONLY"),
        bit(0x10000, "FWASWRITTEN"),
        bit(0x20000, "O_NOCTTY"),
        bit(0x40000, "FNOCACHE"),
        bit(0x80000, "FNORDAHEAD"),
        bit(0x100000, "O_DIRECTORY"),
        bit(0x200000, "O_SYMLINK"),
        bit(0x400000, "O_DSYNC"),
        bit(0x800000, "FNODIRECT"),
        bit(0x1000000, "O_CLOEXEC"),
        bit(0x2000000, "FENCRYPTED"),
        bit(0x4000000, "FSINGLE_WRITER"),
        bit(0x8000000, "O_CLOFORK"),
        bit(0x10000000, "FUNENCRYPTED"),
        bit(0x20000000, "O_NOFOLLOW_ANY"),
        bit(0x40000000, "O_EXEC"),
    ],
};

/// `access.mode`: access(2) and the kernel's extended bits (`bsd/sys/unistd.h`).
pub static ACCESS_MODE: Flags = Flags {
    zero: Some("F_OK"),
    bits: &[
        bit(0x1, "X_OK"),
        bit(0x2, "W_OK"),
        bit(0x4, "R_OK"),
        bit(0x200, "_READ_OK"),
        bit(0x400, "_WRITE_OK"),
        bit(0x800, "_EXECUTE_OK"),
        bit(0x1000, "_DELETE_OK"),
        bit(0x2000, "_APPEND_OK"),
        bit(0x4000, "_RMFILE_OK"),
        bit(0x8000, "_RATTR_OK"),
        bit(0x10000, "_WATTR_OK"),
        bit(0x20000, "_REXT_OK"),
        bit(0x40000, "_WEXT_OK"),
        bit(0x80000, "_RPERM_OK"),
        bit(0x100000, "_WPERM_OK"),
        bit(0x200000, "_CHOWN_OK"),
    ],
};

/// mmap(2) and mprotect(2) protections, and the kernel's `VM_PROT_*` bits (`osfmk/mach/vm_prot.h`).
pub static PROTECTION: Flags = Flags {
    zero: Some("PROT_NONE"),
    bits: &[
        bit(0x84, "VM_PROT_EXECUTE_ONLY"),
        bit(0x1, "PROT_READ"),
        bit(0x2, "PROT_WRITE"),
        bit(0x4, "PROT_EXEC"),
        bit(0x8, "VM_PROT_NO_CHANGE_LEGACY"),
        bit(0x10, "VM_PROT_COPY"),
        bit(0x40, "VM_PROT_IS_MASK"),
        bit(0x80, "VM_PROT_STRIP_READ"),
        bit(0x200, "VM_PROT_TPRO"),
        bit(0x1000000, "VM_PROT_NO_CHANGE"),
    ],
};

/// `mmap.flags` (`<sys/mman.h>`).
pub static MMAP_FLAGS: Flags = Flags {
    zero: Some("MAP_FILE"),
    bits: &[
        bit(0x1, "MAP_SHARED"),
        bit(0x2, "MAP_PRIVATE"),
        bit(0x10, "MAP_FIXED"),
        bit(0x20, "MAP_RENAME"),
        bit(0x40, "MAP_NORESERVE"),
        bit(0x80, "MAP_RESERVED0080"),
        bit(0x100, "MAP_NOEXTEND"),
        bit(0x200, "MAP_HASSEMAPHORE"),
        bit(0x400, "MAP_NOCACHE"),
        bit(0x800, "MAP_JIT"),
        bit(0x1000, "MAP_ANON"),
        bit(0x2000, "MAP_RESILIENT_CODESIGN"),
        bit(0x4000, "MAP_RESILIENT_MEDIA"),
        bit(0x8000, "MAP_32BIT"),
        bit(0x20000, "MAP_TRANSLATED_ALLOW_EXECUTE"),
        bit(0x40000, "MAP_UNIX03"),
        bit(0x80000, "MAP_TPRO"),
    ],
};

/// `fcntl.cmd` (`<sys/fcntl.h>`, `bsd/sys/fcntl.h`).
pub static FCNTL_CMD: Enum = Enum(&[
    (0, "F_DUPFD"),
    (1, "F_GETFD"),
    (2, "F_SETFD"),
    (3, "F_GETFL"),
    (4, "F_SETFL"),
    (5, "F_GETOWN"),
    (6, "F_SETOWN"),
    (7, "F_GETLK"),
    (8, "F_SETLK"),
    (9, "F_SETLKW"),
    (10, "F_SETLKWTIMEOUT"),
    (40, "F_FLUSH_DATA"),
    (41, "F_CHKCLEAN"),
    (42, "F_PREALLOCATE"),
    (43, "F_SETSIZE"),
    (44, "F_RDADVISE"),
    (45, "F_RDAHEAD"),
    (48, "F_NOCACHE"),
    (49, "F_LOG2PHYS"),
    (50, "F_GETPATH"),
    (51, "F_FULLFSYNC"),
    (52, "F_PATHPKG_CHECK"),
    (53, "F_FREEZE_FS"),
    (54, "F_THAW_FS"),
    (55, "F_GLOBAL_NOCACHE"),
    (56, "F_OPENFROM"),
    (57, "F_UNLINKFROM"),
    (58, "F_CHECK_OPENEVT"),
    (59, "F_ADDSIGS"),
    (60, "F_MARKDEPENDENCY"),
    (61, "F_ADDFILESIGS"),
    (62, "F_NODIRECT"),
    (63, "F_GETPROTECTIONCLASS"),
    (64, "F_SETPROTECTIONCLASS"),
    (65, "F_LOG2PHYS_EXT"),
    (66, "F_GETLKPID"),
    (67, "F_DUPFD_CLOEXEC"),
    (68, "F_SETSTATICCONTENT"),
    (69, "F_MOVEDATAEXTENTS"),
    (70, "F_SETBACKINGSTORE"),
    (71, "F_GETPATH_MTMINFO"),
    (72, "F_GETCODEDIR"),
    (73, "F_SETNOSIGPIPE"),
    (74, "F_GETNOSIGPIPE"),
    (75, "F_TRANSCODEKEY"),
    (76, "F_SINGLE_WRITER"),
    (77, "F_GETPROTECTIONLEVEL"),
    (78, "F_FINDSIGS"),
    (79, "F_GETDEFAULTPROTLEVEL"),
    (80, "F_MAKECOMPRESSED"),
    (81, "F_SET_GREEDY_MODE"),
    (82, "F_SETIOTYPE"),
    (83, "F_ADDFILESIGS_FOR_DYLD_SIM"),
    (84, "F_RECYCLE"),
    (85, "F_BARRIERFSYNC"),
    (90, "F_OFD_SETLK"),
    (91, "F_OFD_SETLKW"),
    (92, "F_OFD_GETLK"),
    (93, "F_OFD_SETLKWTIMEOUT"),
    (94, "F_OFD_GETLKPID"),
    (95, "F_SETCONFINED"),
    (96, "F_GETCONFINED"),
    (97, "F_ADDFILESIGS_RETURN"),
    (98, "F_CHECK_LV"),
    (99, "F_PUNCHHOLE"),
    (100, "F_TRIM_ACTIVE_FILE"),
    (101, "F_SPECULATIVE_READ"),
    (102, "F_GETPATH_NOFIRMLINK"),
    (103, "F_ADDFILESIGS_INFO"),
    (104, "F_ADDFILESUPPL"),
    (105, "F_GETSIGSINFO"),
    (106, "F_SETLEASE"),
    (107, "F_GETLEASE"),
    (108, "F_ASSERT_BG_ACCESS"),
    (109, "F_RELEASE_BG_ACCESS"),
    (110, "F_TRANSFEREXTENTS"),
    (111, "F_ATTRIBUTION_TAG"),
    (112, "F_NOCACHE_EXT"),
    (113, "F_ADDSIGS_MAIN_BINARY"),
    (115, "F_DUPFD_CLOFORK"),
    (116, "F_RDADVISEV"),
]);

/// chflags(2) flags (`<sys/stat.h>`).
pub static FILE_FLAGS: Flags = Flags {
    zero: None,
    bits: &[
        bit(0xc000_0000, "SF_SYNTHETIC"),
        bit(0x1, "UF_NODUMP"),
        bit(0x2, "UF_IMMUTABLE"),
        bit(0x4, "UF_APPEND"),
        bit(0x8, "UF_OPAQUE"),
        bit(0x20, "UF_COMPRESSED"),
        bit(0x40, "UF_TRACKED"),
        bit(0x80, "UF_DATAVAULT"),
        bit(0x8000, "UF_HIDDEN"),
        bit(0x10000, "SF_ARCHIVED"),
        bit(0x20000, "SF_IMMUTABLE"),
        bit(0x40000, "SF_APPEND"),
        bit(0x80000, "SF_RESTRICTED"),
        bit(0x100000, "SF_NOUNLINK"),
        bit(0x800000, "SF_FIRMLINK"),
        bit(0x40000000, "SF_DATALESS"),
    ],
};

/// Signals (`<sys/signal.h>`); 0 asks only whether the process exists.
pub static SIGNAL: Enum = Enum(&[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGEMT"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGBUS"),
    (11, "SIGSEGV"),
    (12, "SIGSYS"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGURG"),
    (17, "SIGSTOP"),
    (18, "SIGTSTP"),
    (19, "SIGCONT"),
    (20, "SIGCHLD"),
    (21, "SIGTTIN"),
    (22, "SIGTTOU"),
    (23, "SIGIO"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (28, "SIGWINCH"),
    (29, "SIGINFO"),
    (30, "SIGUSR1"),
    (31, "SIGUSR2"),
]);

/// The file type in a mode (`S_IFMT`, `<sys/stat.h>`).
pub static FILE_TYPE: Enum = Enum(&[
    (4096, "S_IFIFO"),
    (8192, "S_IFCHR"),
    (16384, "S_IFDIR"),
    (24576, "S_IFBLK"),
    (32768, "S_IFREG"),
    (40960, "S_IFLNK"),
    (49152, "S_IFSOCK"),
    (57344, "S_IFWHT"),
]);

/// `statfs.f_flags` and `remount.remount_flags` (`<sys/mount.h>`).
pub static MOUNT_FLAGS: Flags = Flags {
    zero: None,
    bits: &[
        bit(0x1, "MNT_RDONLY"),
        bit(0x2, "MNT_SYNCHRONOUS"),
        bit(0x4, "MNT_NOEXEC"),
        bit(0x8, "MNT_NOSUID"),
        bit(0x10, "MNT_NODEV"),
        bit(0x20, "MNT_UNION"),
        bit(0x40, "MNT_ASYNC"),
        bit(0x80, "MNT_CPROTECT"),
        bit(0x100, "MNT_EXPORTED"),
        bit(0x200, "MNT_REMOVABLE"),
        bit(0x400, "MNT_QUARANTINE"),
        bit(0x1000, "MNT_LOCAL"),
        bit(0x2000, "MNT_QUOTA"),
        bit(0x4000, "MNT_ROOTFS"),
        bit(0x8000, "MNT_DOVOLFS"),
        bit(0x10000, "MNT_UPDATE"),
        bit(0x20000, "MNT_NOBLOCK"),
        bit(0x40000, "MNT_RELOAD"),
        bit(0x80000, "MNT_FORCE"),
        bit(0x100000, "MNT_DONTBROWSE"),
        bit(0x200000, "MNT_IGNORE_OWNERSHIP"),
        bit(0x400000, "MNT_AUTOMOUNTED"),
        bit(0x800000, "MNT_JOURNALED"),
        bit(0x1000000, "MNT_NOUSERXATTR"),
        bit(0x2000000, "MNT_DEFWRITE"),
        bit(0x4000000, "MNT_MULTILABEL"),
        bit(0x8000000, "MNT_NOFOLLOW"),
        bit(0x10000000, "MNT_NOATIME"),
        bit(0x40000000, "MNT_SNAPSHOT"),
        bit(0x80000000, "MNT_STRICTATIME"),
    ],
};

/// `statfs.f_flags_ext` (`<sys/mount.h>`).
pub static MOUNT_FLAGS_EXT: Flags = Flags {
    zero: None,
    bits: &[bit(0x1, "MNT_EXT_ROOT_DATA_VOL"), bit(0x2, "MNT_EXT_FSKIT")],
};

/// `copyfile.flags`: those of the system call, not of copyfile(3).
pub static COPYFILE_FLAGS: Flags = Flags {
    zero: None,
    bits: &[bit(0x1, "CPF_OVERWRITE"), bit(0x2, "CPF_IGNORE_MODE")],
};

/// `attrlist.commonattr` (`<sys/attr.h>`).
pub static COMMONATTR: Flags = Flags {
    zero: None,
    bits: &[
        bit(0x1, "ATTR_CMN_NAME"),
        bit(0x2, "ATTR_CMN_DEVID"),
        bit(0x4, "ATTR_CMN_FSID"),
        bit(0x8, "ATTR_CMN_OBJTYPE"),
        bit(0x10, "ATTR_CMN_OBJTAG"),
        bit(0x20, "ATTR_CMN_OBJID"),
        bit(0x40, "ATTR_CMN_OBJPERMANENTID"),
        bit(0x80, "ATTR_CMN_PAROBJID"),
        bit(0x100, "ATTR_CMN_SCRIPT"),
        bit(0x200, "ATTR_CMN_CRTIME"),
        bit(0x400, "ATTR_CMN_MODTIME"),
        bit(0x800, "ATTR_CMN_CHGTIME"),
        bit(0x1000, "ATTR_CMN_ACCTIME"),
        bit(0x2000, "ATTR_CMN_BKUPTIME"),
        bit(0x4000, "ATTR_CMN_FNDRINFO"),
        bit(0x8000, "ATTR_CMN_OWNERID"),
        bit(0x10000, "ATTR_CMN_GRPID"),
        bit(0x40000, "ATTR_CMN_FLAGS"),
        bit(0x80000, "ATTR_CMN_GEN_COUNT"),
        bit(0x100000, "ATTR_CMN_DOCUMENT_ID"),
        bit(0x200000, "ATTR_CMN_USERACCESS"),
        bit(0x400000, "ATTR_CMN_EXTENDED_SECURITY"),
        bit(0x800000, "ATTR_CMN_UUID"),
        bit(0x1000000, "ATTR_CMN_GRPUUID"),
        bit(0x2000000, "ATTR_CMN_FILEID"),
        bit(0x4000000, "ATTR_CMN_PARENTID"),
        bit(0x8000000, "ATTR_CMN_FULLPATH"),
        bit(0x10000000, "ATTR_CMN_ADDEDTIME"),
        bit(0x20000000, "ATTR_CMN_ERROR"),
        bit(0x40000000, "ATTR_CMN_DATA_PROTECT_FLAGS"),
        bit(0x80000000, "ATTR_CMN_RETURNED_ATTRS"),
    ],
};

/// `attrlist.volattr` (`<sys/attr.h>`).
pub static VOLATTR: Flags = Flags {
    zero: None,
    bits: &[
        bit(0x1, "ATTR_VOL_FSTYPE"),
        bit(0x2, "ATTR_VOL_SIGNATURE"),
        bit(0x4, "ATTR_VOL_SIZE"),
        bit(0x8, "ATTR_VOL_SPACEFREE"),
        bit(0x10, "ATTR_VOL_SPACEAVAIL"),
        bit(0x20, "ATTR_VOL_MINALLOCATION"),
        bit(0x40, "ATTR_VOL_ALLOCATIONCLUMP"),
        bit(0x80, "ATTR_VOL_IOBLOCKSIZE"),
        bit(0x100, "ATTR_VOL_OBJCOUNT"),
        bit(0x200, "ATTR_VOL_FILECOUNT"),
        bit(0x400, "ATTR_VOL_DIRCOUNT"),
        bit(0x800, "ATTR_VOL_MAXOBJCOUNT"),
        bit(0x1000, "ATTR_VOL_MOUNTPOINT"),
        bit(0x2000, "ATTR_VOL_NAME"),
        bit(0x4000, "ATTR_VOL_MOUNTFLAGS"),
        bit(0x8000, "ATTR_VOL_MOUNTEDDEVICE"),
        bit(0x10000, "ATTR_VOL_ENCODINGSUSED"),
        bit(0x20000, "ATTR_VOL_CAPABILITIES"),
        bit(0x40000, "ATTR_VOL_UUID"),
        bit(0x80000, "ATTR_VOL_MOUNTEXTFLAGS"),
        bit(0x100000, "ATTR_VOL_FSTYPENAME"),
        bit(0x200000, "ATTR_VOL_FSSUBTYPE"),
        bit(0x400000, "ATTR_VOL_OWNER"),
        bit(0x800000, "ATTR_VOL_SPACEUSED"),
        bit(0x10000000, "ATTR_VOL_QUOTA_SIZE"),
        bit(0x20000000, "ATTR_VOL_RESERVED_SIZE"),
        bit(0x40000000, "ATTR_VOL_ATTRIBUTES"),
        bit(0x80000000, "ATTR_VOL_INFO"),
    ],
};

/// `attrlist.dirattr` (`<sys/attr.h>`).
pub static DIRATTR: Flags = Flags {
    zero: None,
    bits: &[
        bit(0x1, "ATTR_DIR_LINKCOUNT"),
        bit(0x2, "ATTR_DIR_ENTRYCOUNT"),
        bit(0x4, "ATTR_DIR_MOUNTSTATUS"),
        bit(0x8, "ATTR_DIR_ALLOCSIZE"),
        bit(0x10, "ATTR_DIR_IOBLOCKSIZE"),
        bit(0x20, "ATTR_DIR_DATALENGTH"),
    ],
};

/// `attrlist.fileattr` (`<sys/attr.h>`).
pub static FILEATTR: Flags = Flags {
    zero: None,
    bits: &[
        bit(0x1, "ATTR_FILE_LINKCOUNT"),
        bit(0x2, "ATTR_FILE_TOTALSIZE"),
        bit(0x4, "ATTR_FILE_ALLOCSIZE"),
        bit(0x8, "ATTR_FILE_IOBLOCKSIZE"),
        bit(0x10, "ATTR_FILE_CLUMPSIZE"),
        bit(0x20, "ATTR_FILE_DEVTYPE"),
        bit(0x40, "ATTR_FILE_FILETYPE"),
        bit(0x80, "ATTR_FILE_FORKCOUNT"),
        bit(0x100, "ATTR_FILE_FORKLIST"),
        bit(0x200, "ATTR_FILE_DATALENGTH"),
        bit(0x400, "ATTR_FILE_DATAALLOCSIZE"),
        bit(0x800, "ATTR_FILE_DATAEXTENTS"),
        bit(0x1000, "ATTR_FILE_RSRCLENGTH"),
        bit(0x2000, "ATTR_FILE_RSRCALLOCSIZE"),
        bit(0x4000, "ATTR_FILE_RSRCEXTENTS"),
    ],
};

/// `attrlist.forkattr` (`<sys/attr.h>`): the fork attributes, and the extended common ones that
/// `FSOPT_ATTR_CMN_EXTENDED` puts into the same word.
pub static FORKATTR: Flags = Flags {
    zero: None,
    bits: &[
        bit(0x1, "ATTR_FORK_TOTALSIZE"),
        bit(0x2, "ATTR_FORK_ALLOCSIZE"),
        bit(0x4, "ATTR_CMNEXT_RELPATH"),
        bit(0x8, "ATTR_CMNEXT_PRIVATESIZE"),
        bit(0x10, "ATTR_CMNEXT_LINKID"),
        bit(0x20, "ATTR_CMNEXT_NOFIRMLINKPATH"),
        bit(0x40, "ATTR_CMNEXT_REALDEVID"),
        bit(0x80, "ATTR_CMNEXT_REALFSID"),
        bit(0x100, "ATTR_CMNEXT_CLONEID"),
        bit(0x200, "ATTR_CMNEXT_EXT_FLAGS"),
        bit(0x400, "ATTR_CMNEXT_RECURSIVE_GENCOUNT"),
        bit(0x800, "ATTR_CMNEXT_ATTRIBUTION_TAG"),
        bit(0x1000, "ATTR_CMNEXT_CLONE_REFCNT"),
    ],
};

/// `proc_check.flavor` of `ES_PROC_CHECK_TYPE_PIDINFO` (`<sys/proc_info.h>`, `bsd/sys/proc_info_private.h`).
pub static PROC_CHECK_PIDINFO: Enum = Enum(&[
    (1, "PROC_PIDLISTFDS"),
    (2, "PROC_PIDTASKALLINFO"),
    (3, "PROC_PIDTBSDINFO"),
    (4, "PROC_PIDTASKINFO"),
    (5, "PROC_PIDTHREADINFO"),
    (6, "PROC_PIDLISTTHREADS"),
    (7, "PROC_PIDREGIONINFO"),
    (8, "PROC_PIDREGIONPATHINFO"),
    (9, "PROC_PIDVNODEPATHINFO"),
    (10, "PROC_PIDTHREADPATHINFO"),
    (11, "PROC_PIDPATHINFO"),
    (12, "PROC_PIDWORKQUEUEINFO"),
    (13, "PROC_PIDT_SHORTBSDINFO"),
    (14, "PROC_PIDLISTFILEPORTS"),
    (15, "PROC_PIDTHREADID64INFO"),
    (16, "PROC_PID_RUSAGE"),
    (17, "PROC_PIDUNIQIDENTIFIERINFO"),
    (18, "PROC_PIDT_BSDINFOWITHUNIQID"),
    (19, "PROC_PIDARCHINFO"),
    (20, "PROC_PIDCOALITIONINFO"),
    (21, "PROC_PIDNOTEEXIT"),
    (22, "PROC_PIDREGIONPATHINFO2"),
    (23, "PROC_PIDREGIONPATHINFO3"),
    (24, "PROC_PIDEXITREASONINFO"),
    (25, "PROC_PIDEXITREASONBASICINFO"),
    (26, "PROC_PIDLISTUPTRS"),
    (27, "PROC_PIDLISTDYNKQUEUES"),
    (28, "PROC_PIDLISTTHREADIDS"),
    (29, "PROC_PIDVMRTFAULTINFO"),
    (30, "PROC_PIDPLATFORMINFO"),
    (31, "PROC_PIDREGIONPATH"),
    (32, "PROC_PIDIPCTABLEINFO"),
    (33, "PROC_PIDTHREADSCHEDINFO"),
    (34, "PROC_PIDTHREADCOUNTS"),
]);

/// `proc_check.flavor` of `ES_PROC_CHECK_TYPE_PIDFDINFO`.
pub static PROC_CHECK_PIDFDINFO: Enum = Enum(&[
    (1, "PROC_PIDFDVNODEINFO"),
    (2, "PROC_PIDFDVNODEPATHINFO"),
    (3, "PROC_PIDFDSOCKETINFO"),
    (4, "PROC_PIDFDPSEMINFO"),
    (5, "PROC_PIDFDPSHMINFO"),
    (6, "PROC_PIDFDPIPEINFO"),
    (7, "PROC_PIDFDKQUEUEINFO"),
    (8, "PROC_PIDFDATALKINFO"),
    (9, "PROC_PIDFDKQUEUE_EXTINFO"),
    (10, "PROC_PIDFDCHANNELINFO"),
]);

/// `proc_check.flavor` of `ES_PROC_CHECK_TYPE_PIDFILEPORTINFO`.
pub static PROC_CHECK_PIDFILEPORTINFO: Enum = Enum(&[
    (2, "PROC_PIDFILEPORTVNODEPATHINFO"),
    (3, "PROC_PIDFILEPORTSOCKETINFO"),
    (5, "PROC_PIDFILEPORTPSHMINFO"),
    (6, "PROC_PIDFILEPORTPIPEINFO"),
]);

/// `proc_check.flavor` of `ES_PROC_CHECK_TYPE_LISTPIDS`.
pub static PROC_CHECK_LISTPIDS: Enum = Enum(&[
    (1, "PROC_ALL_PIDS"),
    (2, "PROC_PGRP_ONLY"),
    (3, "PROC_TTY_ONLY"),
    (4, "PROC_UID_ONLY"),
    (5, "PROC_RUID_ONLY"),
    (6, "PROC_PPID_ONLY"),
]);

/// `proc_check.flavor` of `ES_PROC_CHECK_TYPE_UDATA_INFO`: dynamic kernel queues.
pub static PROC_CHECK_UDATA_INFO: Enum = Enum(&[
    (0, "PROC_PIDDYNKQUEUE_INFO"),
    (1, "PROC_PIDDYNKQUEUE_EXTINFO"),
]);

/// `proc_check.flavor` of `ES_PROC_CHECK_TYPE_PIDRUSAGE` (`<sys/resource.h>`).
pub static PROC_CHECK_PIDRUSAGE: Enum = Enum(&[
    (0, "RUSAGE_INFO_V0"),
    (1, "RUSAGE_INFO_V1"),
    (2, "RUSAGE_INFO_V2"),
    (3, "RUSAGE_INFO_V3"),
    (4, "RUSAGE_INFO_V4"),
    (5, "RUSAGE_INFO_V5"),
    (6, "RUSAGE_INFO_V6"),
]);

/// `es_fd_t.fdtype` (`<sys/proc_info.h>`).
pub static FDTYPE: Enum = Enum(&[
    (0, "PROX_FDTYPE_ATALK"),
    (1, "PROX_FDTYPE_VNODE"),
    (2, "PROX_FDTYPE_SOCKET"),
    (3, "PROX_FDTYPE_PSHM"),
    (4, "PROX_FDTYPE_PSEM"),
    (5, "PROX_FDTYPE_KQUEUE"),
    (6, "PROX_FDTYPE_PIPE"),
    (7, "PROX_FDTYPE_FSEVENTS"),
    (9, "PROX_FDTYPE_NETPOLICY"),
    (10, "PROX_FDTYPE_CHANNEL"),
    (11, "PROX_FDTYPE_NEXUS"),
]);

/// `uipc_connect.domain` (`<sys/socket.h>`).
pub static SOCKET_DOMAIN: Enum = Enum(&[
    (0, "AF_UNSPEC"),
    (1, "AF_UNIX"),
    (2, "AF_INET"),
    (30, "AF_INET6"),
]);

/// `uipc_connect.type` (`<sys/socket.h>`).
pub static SOCKET_TYPE: Enum = Enum(&[
    (1, "SOCK_STREAM"),
    (2, "SOCK_DGRAM"),
    (3, "SOCK_RAW"),
    (4, "SOCK_RDM"),
    (5, "SOCK_SEQPACKET"),
]);

/// `exec.image_cputype` (`<mach/machine.h>`).
pub static CPUTYPE: Enum = Enum(&[
    (7, "CPU_TYPE_X86"),
    (16777223, "CPU_TYPE_X86_64"),
    (12, "CPU_TYPE_ARM"),
    (16777228, "CPU_TYPE_ARM64"),
    (33554444, "CPU_TYPE_ARM64_32"),
    (-1, "CPU_TYPE_ANY"),
]);

/// `exec.image_cpusubtype` where the CPU type is `CPU_TYPE_X86_64`.
pub static CPUSUBTYPE_X86_64: Flags = Flags {
    zero: None,
    bits: &[
        field(CPU_SUBTYPE, 3, "CPU_SUBTYPE_X86_64_ALL"),
        field(CPU_SUBTYPE, 8, "CPU_SUBTYPE_X86_64_H"),
        bit(0x80000000, "CPU_SUBTYPE_LIB64"),
    ],
};

/// `exec.image_cpusubtype` where the CPU type is `CPU_TYPE_ARM64`.
pub static CPUSUBTYPE_ARM64: Flags = Flags {
    zero: None,
    bits: &[
        field(CPU_SUBTYPE, 0, "CPU_SUBTYPE_ARM64_ALL"),
        field(CPU_SUBTYPE, 1, "CPU_SUBTYPE_ARM64_V8"),
        field(CPU_SUBTYPE, 2, "CPU_SUBTYPE_ARM64E"),
        field(CPU_SUBTYPE, 3, "CPU_SUBTYPE_ARM64_X1"),
        field(CPU_SUBTYPE, 12, "CPU_SUBTYPE_ARM64E_X1"),
        bit(0x80000000, "CPU_SUBTYPE_PTRAUTH_ABI"),
    ],
};

/// `exec.image_cpusubtype` where the CPU type is `CPU_TYPE_ARM64_32`.
pub static CPUSUBTYPE_ARM64_32: Flags = Flags {
    zero: None,
    bits: &[
        field(CPU_SUBTYPE, 1, "CPU_SUBTYPE_ARM64_32_V8"),
        bit(0x80000000, "CPU_SUBTYPE_LIB64"),
    ],
};

/// `es_thread_state_t.flavor` (`<mach/thread_status.h>`): numbers that the two architectures share carry both names.
pub static THREAD_STATE_FLAVOR: Enum = Enum(&[
    (1, "x86_THREAD_STATE32/ARM_THREAD_STATE"),
    (4, "x86_THREAD_STATE64"),
    (6, "ARM_THREAD_STATE64"),
    (7, "x86_THREAD_STATE"),
    (9, "ARM_THREAD_STATE32"),
]);

/// `authorization_petition.flags` (`Authorization.h`).
pub static AUTHORIZATION_FLAGS: Flags = Flags {
    zero: Some("kAuthorizationFlagDefaults"),
    bits: &[
        bit(0x1, "kAuthorizationFlagInteractionAllowed"),
        bit(0x2, "kAuthorizationFlagExtendRights"),
        bit(0x4, "kAuthorizationFlagPartialRights"),
        bit(0x8, "kAuthorizationFlagDestroyRights"),
        bit(0x10, "kAuthorizationFlagPreAuthorize"),
        bit(0x200, "kAuthorizationFlagSkipInternalAuth"),
        bit(0x100000, "kAuthorizationFlagNoData"),
    ],
};

/// `authorization_judgement.return_code` (`Authorization.h`).
pub static AUTHORIZATION_RESULT: Enum = Enum(&[
    (0, "errAuthorizationSuccess"),
    (-60001, "errAuthorizationInvalidSet"),
    (-60002, "errAuthorizationInvalidRef"),
    (-60003, "errAuthorizationInvalidTag"),
    (-60004, "errAuthorizationInvalidPointer"),
    (-60005, "errAuthorizationDenied"),
    (-60006, "errAuthorizationCanceled"),
    (-60007, "errAuthorizationInteractionNotAllowed"),
    (-60008, "errAuthorizationInternal"),
    (-60009, "errAuthorizationExternalizeNotAllowed"),
    (-60010, "errAuthorizationInternalizeNotAllowed"),
    (-60011, "errAuthorizationInvalidFlags"),
    (-60031, "errAuthorizationToolExecuteFailure"),
    (-60032, "errAuthorizationToolEnvironmentError"),
    (-60033, "errAuthorizationBadAddress"),
]);

#[cfg(test)]
mod tests {
    use super::*;

    fn split(flags: &Flags, bits: u64) -> (Vec<&'static str>, u64) {
        let mut names = Vec::new();
        let rest = flags.names(bits, |name| names.push(name));
        (names, rest)
    }

    #[test]
    fn larger_sets_come_before_their_parts() {
        assert_eq!(split(&FFLAG, 0x4010_0001), (vec!["O_SEARCH", "FREAD"], 0));
        assert_eq!(split(&FFLAG, 0x4000_0001), (vec!["FREAD", "O_EXEC"], 0));
        assert_eq!(split(&FILE_FLAGS, 0xc000_0000), (vec!["SF_SYNTHETIC"], 0));
        assert_eq!(split(&FILE_FLAGS, 0x4000_0000), (vec!["SF_DATALESS"], 0));
        for table in [&FFLAG, &FILE_FLAGS, &PROTECTION] {
            for (at, entry) in table.bits.iter().enumerate() {
                let part = |earlier: &Bits| earlier.mask & entry.mask == earlier.mask;
                assert!(!table.bits[..at].iter().any(part), "{}", entry.name);
            }
        }
    }

    #[test]
    fn unnamed_bits_are_left_over() {
        assert_eq!(split(&CODESIGNING_FLAGS, 0x41), (vec!["CS_VALID"], 0x40));
        assert_eq!(split(&FFLAG, 1 << 40), (vec![], 1 << 40));
    }

    #[test]
    fn a_cpu_subtype_is_a_number_and_capabilities() {
        assert_eq!(
            split(&CPUSUBTYPE_ARM64, 0x8000_0002),
            (vec!["CPU_SUBTYPE_ARM64E", "CPU_SUBTYPE_PTRAUTH_ABI"], 0)
        );
        assert_eq!(
            split(&CPUSUBTYPE_ARM64, 0),
            (vec!["CPU_SUBTYPE_ARM64_ALL"], 0)
        );
        assert_eq!(split(&CPUSUBTYPE_ARM64, 0x63), (vec![], 0x63));
    }

    #[test]
    fn no_value_is_named_twice() {
        for table in [
            &FCNTL_CMD,
            &SIGNAL,
            &PROC_CHECK_PIDINFO,
            &TCC_AUTHORIZATION_REASON,
        ] {
            for (at, (value, _)) in table.0.iter().enumerate() {
                assert!(
                    !table.0[..at].iter().any(|(earlier, _)| earlier == value),
                    "{value}"
                );
            }
        }
    }
}
