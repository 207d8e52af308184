//! The pipeline that a live trace prints into, which is left out of it.

/// The processes of the pipeline that a live trace is a part of, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct OwnPipeline {
    /// Its process groups. Empty if nothing is left out.
    pub groups: Vec<i32>,
    /// The processes (pids) that were in these groups when the trace started.
    pub pids: Vec<i32>,
    /// This process.
    pub pid: i32,
}

impl OwnPipeline {
    /// Returns true if a process is left out because of its group.
    pub fn has_group(&self, group: i32) -> bool {
        self.groups.contains(&group)
    }

    /// Returns true if a process of one of the groups was there from the start, or was started by this one. Any other
    /// has joined the group since then: a child of the pipeline, or somebody who hides.
    pub fn has_process(&self, pid: i32, parent: i32) -> bool {
        parent == self.pid || self.pids.contains(&pid)
    }
}
