//! Where events come from. A source knows nothing of formats: it gives [`crate::event::Event`]s.

#[cfg(target_os = "macos")]
pub mod eslogger;
#[cfg(target_os = "macos")]
pub mod native;
pub mod recording;
mod values;

pub use recording::json::{
    push_canonical as push_canonical_json, push_on_one_line as push_json_on_one_line,
};
