//! Compares the offsets that macsim builds messages by with those that endpoint-sec-sys compiles to for macOS. A
//! difference ends the build.
//!
//! endpoint-sec-sys has nothing newer than macOS 15.4: neither the tails of `es_process_t`,
//! `es_event_xp_malware_detected_t` and `es_event_iokit_open_t`, nor what came with 27.0.

use std::mem::offset_of;

use endpoint_sec_sys::*;

/// `data/offsets.tsv` as constants.
mod table {
    #![allow(
        non_upper_case_globals,
        non_camel_case_types,
        dead_code,
        reason = "C's names"
    )]
    include!(concat!(env!("OUT_DIR"), "/offsets.rs"));
}

/// Checks members; `name = other` is a member that the table calls `other`.
macro_rules! members {
    ($structure:ident { $($member:ident $(= $other:ident)?),* }) => {
        $(members!(@one $structure $member $($other)?);)*
    };
    (@one $structure:ident $member:ident) => { members!(@one $structure $member $member); };
    (@one $structure:ident $member:ident $other:ident) => {
        const _: () = assert!(
            offset_of!($structure, $member) == table::$structure::$other,
            concat!(stringify!($structure), ".", stringify!($member))
        );
    };
}

/// Checks structures: their sizes and members.
macro_rules! same {
    ($($structure:ident { $($member:tt)* })*) => {
        $(
            const _: () = assert!(size_of::<$structure>() == table::$structure::SIZE, stringify!($structure));
            members!($structure { $($member)* });
        )*
    };
}

/// Checks the members of structures that have grown since then.
macro_rules! grown {
    ($($structure:ident { $($member:tt)* })*) => {
        $(
            const _: () = assert!(size_of::<$structure>() < table::$structure::SIZE, stringify!($structure));
            members!($structure { $($member)* });
        )*
    };
}

/// Checks the members of a structure within a union, whose offsets the table has from the outer one.
macro_rules! within {
    ($outer:ident $union:ident $inner:ident { $($member:ident = $constant:ident),* }) => {
        $(const _: () = assert!(
            offset_of!($outer, $union) + offset_of!($inner, $member) == table::$outer::$constant,
            concat!(stringify!($outer), ".", stringify!($constant))
        );)*
    };
}

grown! {
    es_process_t { audit_token, ppid, original_ppid, group_id, session_id, codesigning_flags, is_platform_binary, is_es_client, cdhash, signing_id, team_id, executable, tty, start_time, responsible_audit_token, parent_audit_token }
    es_event_xp_malware_detected_t { signature_version, malware_identifier, incident_identifier, detected_path }
}

within!(es_event_exec_t anon_0 es_event_exec_t_anon_0_anon_0 {
    script = script, cwd = cwd, last_fd = last_fd, image_cputype = image_cputype, image_cpusubtype = image_cpusubtype
});
within!(es_event_rename_t destination es_event_rename_t_anon_0_anon_0 {
    dir = destination__new_path__dir, filename = destination__new_path__filename
});
within!(es_event_create_t destination es_event_create_t_anon_0_anon_0 {
    dir = destination__new_path__dir, filename = destination__new_path__filename, mode = destination__new_path__mode
});

same! {
    es_token_t { size, data }
    es_string_token_t { length, data }
    es_muted_path_t { event_count, events, path, type_ = r#type }
    es_muted_paths_t { count, paths }
    es_muted_process_t { audit_token, event_count, events }
    es_signed_file_info_t { cdhash, signing_id, team_id }
    es_file_t { path, path_truncated, stat }
    es_thread_t { thread_id }
    es_thread_state_t { flavor, state }
    es_fd_t { fd, fdtype, anon_0 = pipe }
    es_btm_launch_item_t { item_type, legacy, managed, uid, item_url, app_url }
    es_profile_t { identifier, uuid, install_source, organization, display_name, scope }
    es_event_exec_t { target, dyld_exec_path, anon_0 = script }
    es_event_tcc_modify_t { service, identity, identity_type, update_type, instigator_token, instigator, responsible_token, responsible, right, reason }
    es_event_open_t { fflag, file }
    es_event_kextload_t { identifier }
    es_event_kextunload_t { identifier }
    es_event_unlink_t { target, parent_dir }
    es_event_mmap_t { protection, max_protection, flags, file_pos, source }
    es_event_link_t { source, target_dir, target_filename }
    es_event_mount_t { statfs, disposition }
    es_event_unmount_t { statfs }
    es_event_remount_t { statfs, remount_flags, disposition }
    es_event_fork_t { child }
    es_event_mprotect_t { protection, address, size }
    es_event_signal_t { sig, target, instigator }
    es_event_rename_t { source, destination_type, destination }
    es_event_setextattr_t { target, extattr }
    es_event_getextattr_t { target, extattr }
    es_event_deleteextattr_t { target, extattr }
    es_event_setmode_t { mode, target }
    es_event_setflags_t { flags, target }
    es_event_setowner_t { uid, gid, target }
    es_event_close_t { modified, target, anon0 = was_mapped_writable }
    es_event_create_t { destination_type, destination, anon_1 = acl }
    es_event_exit_t { stat }
    es_event_exchangedata_t { file1, file2 }
    es_event_write_t { target }
    es_event_truncate_t { target }
    es_event_chdir_t { target }
    es_event_stat_t { target }
    es_event_chroot_t { target }
    es_event_listextattr_t { target }
    es_event_iokit_open_t { user_client_type, user_client_class }
    es_event_get_task_t { target, type_ = r#type }
    es_event_get_task_read_t { target, type_ = r#type }
    es_event_get_task_inspect_t { target, type_ = r#type }
    es_event_get_task_name_t { target, type_ = r#type }
    es_event_getattrlist_t { attrlist, target }
    es_event_setattrlist_t { attrlist, target }
    es_event_file_provider_update_t { source, target_path }
    es_event_file_provider_materialize_t { instigator, source, target, instigator_token }
    es_event_readlink_t { source }
    es_event_lookup_t { source_dir, relative_target }
    es_event_access_t { mode, target }
    es_event_utimes_t { target, atime, mtime }
    es_event_clone_t { source, target_dir, target_name }
    es_event_copyfile_t { source, target_file, target_dir, target_name, mode, flags }
    es_event_fcntl_t { target, cmd }
    es_event_readdir_t { target }
    es_event_fsgetpath_t { target }
    es_event_settime_t {}
    es_event_dup_t { target }
    es_event_uipc_bind_t { dir, filename, mode }
    es_event_uipc_connect_t { file, domain, protocol, type_ = r#type }
    es_event_setacl_t { target, set_or_clear, acl }
    es_event_pty_grant_t { dev }
    es_event_pty_close_t { dev }
    es_event_proc_check_t { target, flavor, type_ = r#type }
    es_event_searchfs_t { attrlist, target }
    es_event_proc_suspend_resume_t { target, type_ = r#type }
    es_event_cs_invalidated_t {}
    es_event_trace_t { target }
    es_event_remote_thread_create_t { target, thread_state }
    es_event_setuid_t { uid }
    es_event_setgid_t { gid }
    es_event_seteuid_t { euid }
    es_event_setegid_t { egid }
    es_event_setreuid_t { ruid, euid }
    es_event_setregid_t { rgid, egid }
    es_event_authentication_od_t { instigator, record_type, record_name, node_name, db_path, instigator_token }
    es_event_authentication_touchid_t { instigator, touchid_mode, has_uid, instigator_token, anon0 = uid }
    es_event_authentication_token_t { instigator, pubkey_hash, token_id, kerberos_principal, instigator_token }
    es_event_authentication_auto_unlock_t { username, type_ = r#type }
    es_event_authentication_t { success, data, type_ = r#type }
    es_event_xp_malware_remediated_t { signature_version, malware_identifier, incident_identifier, action_type, success, result_description, remediated_path, remediated_process_audit_token }
    es_event_lw_session_login_t { username, graphical_session_id }
    es_event_lw_session_logout_t { username, graphical_session_id }
    es_event_lw_session_lock_t { username, graphical_session_id }
    es_event_lw_session_unlock_t { username, graphical_session_id }
    es_event_screensharing_attach_t { success, source_address_type, source_address, viewer_appleid, authentication_type, authentication_username, session_username, existing_session, graphical_session_id }
    es_event_screensharing_detach_t { source_address_type, source_address, viewer_appleid, graphical_session_id }
    es_event_openssh_login_t { success, result_type, source_address_type, source_address, username, has_uid, anon0 = uid }
    es_event_openssh_logout_t { source_address_type, source_address, username, uid }
    es_event_login_login_t { success, failure_message, username, has_uid, anon0 = uid }
    es_event_login_logout_t { username, uid }
    es_event_btm_launch_item_add_t { instigator, app, item, executable_path, instigator_token, app_token }
    es_event_btm_launch_item_remove_t { instigator, app, item, instigator_token, app_token }
    es_event_su_t { success, failure_message, from_uid, from_username, has_to_uid, to_uid, to_username, shell, argc, argv, env_count, env }
    es_sudo_reject_info_t { plugin_name, plugin_type, failure_message }
    es_event_sudo_t { success, reject_info, has_from_uid, from_uid, from_username, has_to_uid, to_uid, to_username, command }
    es_event_profile_add_t { instigator, is_update, profile, instigator_token }
    es_event_profile_remove_t { instigator, profile, instigator_token }
    es_event_authorization_petition_t { instigator, petitioner, flags, right_count, rights, instigator_token, petitioner_token }
    es_authorization_result_t { right_name, rule_class, granted }
    es_event_authorization_judgement_t { instigator, petitioner, return_code, result_count, results, instigator_token, petitioner_token }
    es_od_member_id_t { member_type, member_value }
    es_event_od_group_add_t { instigator, error_code, group_name, member, node_name, db_path, instigator_token }
    es_event_od_group_remove_t { instigator, error_code, group_name, member, node_name, db_path, instigator_token }
    es_od_member_id_array_t { member_type, member_count, member_array }
    es_event_od_group_set_t { instigator, error_code, group_name, members, node_name, db_path, instigator_token }
    es_event_od_modify_password_t { instigator, error_code, account_type, account_name, node_name, db_path, instigator_token }
    es_event_od_disable_user_t { instigator, error_code, user_name, node_name, db_path, instigator_token }
    es_event_od_enable_user_t { instigator, error_code, user_name, node_name, db_path, instigator_token }
    es_event_od_attribute_value_add_t { instigator, error_code, record_type, record_name, attribute_name, attribute_value, node_name, db_path, instigator_token }
    es_event_od_attribute_value_remove_t { instigator, error_code, record_type, record_name, attribute_name, attribute_value, node_name, db_path, instigator_token }
    es_event_od_attribute_set_t { instigator, error_code, record_type, record_name, attribute_name, attribute_value_count, node_name, db_path, instigator_token, attribute_value_array = attribute_values }
    es_event_od_create_user_t { instigator, error_code, user_name, node_name, db_path, instigator_token }
    es_event_od_create_group_t { instigator, error_code, group_name, node_name, db_path, instigator_token }
    es_event_od_delete_user_t { instigator, error_code, user_name, node_name, db_path, instigator_token }
    es_event_od_delete_group_t { instigator, error_code, group_name, node_name, db_path, instigator_token }
    es_event_xpc_connect_t { service_name, service_domain_type }
    es_event_gatekeeper_user_override_t { file_type, file, sha256, signing_info }
    es_events_t { access, chdir, chroot, clone, close, copyfile, create, cs_invalidated, deleteextattr, dup, exchangedata, exec, exit, file_provider_materialize, file_provider_update, fcntl, fork, fsgetpath, get_task, get_task_read, get_task_inspect, get_task_name, getattrlist, getextattr, iokit_open, kextload, kextunload, link, listextattr, lookup, mmap, mount, mprotect, open, proc_check, proc_suspend_resume, pty_close, pty_grant, readdir, readlink, remote_thread_create, remount, rename, searchfs, setacl, setattrlist, setextattr, setflags, setmode, setowner, settime, setuid, setgid, seteuid, setegid, setreuid, setregid, signal, stat, trace, truncate, uipc_bind, uipc_connect, unlink, unmount, utimes, write, authentication, xp_malware_detected, xp_malware_remediated, lw_session_login, lw_session_logout, lw_session_lock, lw_session_unlock, screensharing_attach, screensharing_detach, openssh_login, openssh_logout, login_login, login_logout, btm_launch_item_add, btm_launch_item_remove, profile_add, profile_remove, su, authorization_petition, authorization_judgement, sudo, od_group_add, od_group_remove, od_group_set, od_modify_password, od_disable_user, od_enable_user, od_attribute_value_add, od_attribute_value_remove, od_attribute_set, od_create_user, od_create_group, od_delete_user, od_delete_group, xpc_connect, gatekeeper_user_override, tcc_modify }
    es_result_t { result_type, result }
    es_message_t { version, time, mach_time, deadline, process, seq_num, action_type, action, event_type, event, thread, global_seq_num }
    audit_token_t { val }
}
