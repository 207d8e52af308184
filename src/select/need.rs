//! The demands on a source, which can be for more than what is shown.

use super::{Compare, Conditions, Filter, OwnPipeline, Place, Selection, Tree};
use crate::order::fact::Asks;
use crate::order::stage::{Needs, Stage};

/// The demands on a source. It may give more, because events are filtered again, but never less.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Need {
    /// The events.
    pub events: Selection,
    /// The places of the images of the processes, or of those they act for. Empty: anywhere.
    pub images: Vec<Tree>,
    /// For each kind of condition, texts that the JSON of every needed event has.
    pub needles: Vec<Needles>,
    /// The places of the images of processes whose events aren't needed, except for an exec.
    pub excluded_images: Vec<Tree>,
    /// The places of a file of an event. Empty: anywhere, or no file.
    pub targets: Vec<Place>,
    /// The places in which no file of an event may lie.
    pub excluded_targets: Vec<Place>,
    /// The pipeline that a live trace prints into, which is excluded. Of processes that have joined it, events are
    /// needed all the same: they are counted.
    pub own: OwnPipeline,
    /// True if the environment of programs is needed.
    pub env: bool,
    /// True if the values in an environment are to be replaced. A value that isn't an environment must not be shown
    /// unchanged, either.
    pub redact: bool,
    /// True if the JSON that eslogger would write is needed.
    pub json: bool,
    /// True if the tokens of a process's parent and of its responsible process are needed.
    pub lineage: bool,
    /// True if the members that only `-v` shows are needed.
    pub verbose: bool,
}

/// Texts one of which stands literally in JSON, unless printable characters of ASCII are escaped in it.
#[derive(Clone, Debug)]
pub struct Needles {
    /// The texts.
    pub texts: Vec<Vec<u8>>,
    /// True if letters of ASCII may be of the other case.
    pub any_case: bool,
}

impl Filter {
    /// The demands on the source: all that is shown, and all that the stages look at.
    pub fn need(&self, stages: &[Box<dyn Stage>], follows: bool) -> Need {
        let mut events = self.selection.clone();
        let Conditions {
            who,
            targets,
            excluded,
            ..
        } = &self.conditions;
        let mut images = who.images.values();
        let mut excluded_images = excluded.who.images.values();
        let mut targets = targets.values();
        let mut excluded_targets = excluded.targets.values();
        let mut needles = self.conditions.needles();
        let needs = needs(stages, follows);
        if needs == Needs::All {
            events = Selection::ALL;
        }
        if needs >= Needs::Lives {
            // These are needed from every process.
            for name in ["fork", "exec", "exit"] {
                events.add(name);
            }
            images.clear();
            excluded_images.clear();
            needles.clear();
        }
        if needs == Needs::All {
            targets.clear();
            excluded_targets.clear();
        }
        if self.conditions.compare == Compare::WithoutCase {
            images.clear();
            targets.clear();
        }
        let asks = asks(stages);
        Need {
            events,
            images,
            needles,
            excluded_images,
            targets,
            excluded_targets,
            own: self.own.clone(),
            env: asks.contains(Asks::JOB),
            redact: false,
            json: false,
            // To follow a tree, the pid of a parent is enough.
            lineage: asks.contains(Asks::LINEAGE),
            verbose: false,
        }
    }
}

/// The events that have to be seen by the stages, and to follow a tree of processes.
pub fn needs(stages: &[Box<dyn Stage>], follows: bool) -> Needs {
    let least = if follows { Needs::Lives } else { Needs::Shown };
    stages
        .iter()
        .fold(least, |needs, stage| needs.max(stage.needs()))
}

/// The parts of facts that any of the stages looks at.
pub fn asks(stages: &[Box<dyn Stage>]) -> Asks {
    stages
        .iter()
        .fold(Asks::empty(), |asks, stage| asks | stage.asks())
}
