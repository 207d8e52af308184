//! What is asked of a source, which can be more than what is shown.

use super::{Filter, Selection, Tree};
use crate::order::fact::Asks;
use crate::order::stage::Stage;

/// What a source has to give. It may give more, which is filtered again, but never less.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Need {
    /// The events.
    pub events: Selection,
    /// Where the images of the processes lie. None: anywhere.
    pub images: Vec<Tree>,
    /// The process groups of the pipeline that a live trace prints into, which it leaves out.
    pub excluded_groups: Vec<i32>,
    /// True if the environment of programs is needed.
    pub env: bool,
    /// True if the values in an environment are to be replaced: what isn't one must not be shown as it is, either.
    pub redact: bool,
    /// True if the JSON that eslogger would write is needed.
    pub json: bool,
    /// True if the tokens of a process's parent and of who is responsible for it are needed.
    pub lineage: bool,
}

impl Filter {
    /// What has to be asked of the source so that nothing is missing of what is shown and of what the stages look at.
    pub fn need(&self, stages: &[Box<dyn Stage>]) -> Need {
        let mut events = self.selection.clone();
        let mut images = self.images.clone();
        if !stages.is_empty() {
            // The lives of processes, whoever they are.
            for name in ["fork", "exec", "exit"] {
                events.add(name);
            }
            images.clear();
        }
        let asks = asks(stages);
        Need {
            events,
            images,
            excluded_groups: self.left_out.clone(),
            env: asks.contains(Asks::JOB),
            redact: false,
            json: false,
            lineage: !stages.is_empty(),
        }
    }
}

/// The parts of facts that any of the stages looks at.
pub fn asks(stages: &[Box<dyn Stage>]) -> Asks {
    stages
        .iter()
        .fold(Asks::empty(), |asks, stage| asks | stage.asks())
}
