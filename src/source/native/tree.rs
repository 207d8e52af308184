//! The tree of a command, kept in the handler, so that the messages of other processes are not even retained.
//!
//! This is more than what is shown: all processes that this process starts, and everything that may have been done on
//! another process's behalf. The command's tree itself is determined where the events are in order.

use std::collections::HashSet;

use super::c::{ProcessRef, es_process_t};
use super::client::Delivered;
use super::decode::audit_token;
use crate::model::catalogue::ROWS;

/// The processes below this one.
#[derive(Debug)]
pub struct Members {
    own_pid: i32,
    pids: HashSet<i32>,
    /// The events (`es_event_type_t`) that another process may do on a member's behalf.
    by_others: HashSet<u32>,
}

impl Members {
    /// The members below the process with this pid: none yet.
    pub fn below(own_pid: i32) -> Members {
        let by_others = ROWS.iter().filter(|row| row.has_instigator());
        Members {
            own_pid,
            pids: HashSet::new(),
            by_others: by_others.map(|row| row.number).collect(),
        }
    }

    /// Notes a message, and returns true if it may concern the tree.
    pub fn concerns(&mut self, delivered: &Delivered) -> bool {
        /// `ES_EVENT_TYPE_NOTIFY_EXIT`
        const EXIT: u32 = 15;
        let event = delivered.get().event_type.0;
        let process = delivered.process().map(ProcessRef::get);
        let Some(process) = process.filter(|process| self.has(process)) else {
            return self.by_others.contains(&event);
        };
        if let Some(child) = delivered.forked_child() {
            self.pids.insert(pid(child));
        } else if event == EXIT {
            self.pids.remove(&pid(process));
        }
        true
    }

    /// Returns true if the process is a member. If its fork is missing, it is a member if its parent is.
    fn has(&mut self, process: &es_process_t) -> bool {
        let is_one = |pid: i32| pid == self.own_pid || self.pids.contains(&pid);
        if self.pids.contains(&pid(process)) {
            return true;
        }
        let has_parent = is_one(process.ppid) || is_one(process.original_ppid);
        if has_parent {
            self.pids.insert(pid(process));
        }
        has_parent
    }
}

fn pid(process: &es_process_t) -> i32 {
    audit_token(&process.audit_token).pid().unwrap_or(0)
}
