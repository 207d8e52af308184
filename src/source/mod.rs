//! The sources of events. A source knows the demands on it, but no formats: it gives [`crate::model::event::Event`]s.

#[cfg(target_os = "macos")]
pub mod command;
#[cfg(target_os = "macos")]
pub mod eslogger;
#[cfg(target_os = "macos")]
mod guard;
#[cfg(target_os = "macos")]
pub mod native;
#[cfg(any(target_os = "macos", test))]
pub mod queue;
pub mod recording;
#[cfg(any(target_os = "macos", test))]
pub mod refusal;
mod values;
