//! Reports on a trace, printed at its end or on request before that.
//!
//! A report is a stage. It counts the events that are shown, learns from the lives of all processes, and writes when
//! the trace is over. The memory that it needs depends on the number of processes and of names, not of events.

mod columns;
mod counts;
mod figures;
mod page;
mod processes;
mod summary;
mod tree;
mod words;

pub use page::{Look, Page, Terminal};
pub use summary::{By, Options, SortBy, Summary};
pub use tree::{CountBy, NestBy, Tree};
