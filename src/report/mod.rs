//! What came of a trace: reports at its end, and for somebody who asks meanwhile.
//!
//! A report is a stage. It counts the events that are shown, learns from the lives of all processes, and writes when
//! the trace is over. What it keeps is bounded by the number of processes and of names, not of events.

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
