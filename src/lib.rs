//! proctracer: a process tracer for macOS on EndpointSecurity.
//!
//! # How an event travels
//!
//! ```text
//!            pieces                 events, borrowed                text and facts, in order
//! source  ---------->  workers: decode, filter, format  ---------->  writer: stages, losses, output
//! ```
//!
//! A source reads messages and cuts the stream into pieces. Workers decode the pieces in any order, by the rows of the
//! catalogue, and format the events that pass the filter. If a stage needs it, they leave a small fact beside the text
//! of each event. The writer has the pieces in order: there the stages look at the facts, decide what is written, and
//! add what is only known from all events in order.
//!
//! # The rooms
//!
//! Each imports only rooms on floors below its own, and itself; `tests/rooms.rs` checks this.
//!
//! | floor | room | what is in it |
//! |---|---|---|
//! | 10 | [`config`] | the options, checked and resolved |
//! | 9 | [`cli`] | the options as typed |
//! | 8 | [`live`] | chooses a live source, explains a refusal, checks what a live trace needs |
//! | 7 | [`source`] | recordings, eslogger, EndpointSecurity itself, each with its own queue and feed loop |
//! | 6 | [`pipeline`] | threads, the feed, the writer, output; generic over the source |
//! | 5 | [`select`] | `-e`, places, conditions; the demands on the source |
//! | 4 | [`report`] | stages that print a report at the end |
//! | 3 | [`mod@format`] | the look of events |
//! | 2 | [`order`] | facts, the stages that look at them, losses, damage |
//! | 1 | [`text`] | escaping, times, JSON, redaction |
//! | 0 | [`model`] | the catalogue of events, the names of their numbers, an event as read from any source |
//!
//! [`exit`], the exit status and the printing of warnings, is a leaf that every room may use.
//!
//! # The rules
//!
//! 1. `model` and `text` know no room above them. The catalogue names only the leaf `source::native::c`.
//! 2. A source knows the model and the demands on it ([`select::Need`]), not formats, filters or its users.
//! 3. A format knows events, not sources. Whether it needs a message's JSON is asked of the format.
//! 4. `pipeline` is generic over the source: there is no `cfg(target_os)` in it.
//! 5. Only the native source has `unsafe` code.
//! 6. `main` parses and dispatches; nothing calls back into it.

pub mod cli;
pub mod config;
pub mod exit;
pub mod format;
pub mod live;
pub mod model;
pub mod order;
pub mod pipeline;
pub mod report;
pub mod select;
pub mod source;
pub mod text;
