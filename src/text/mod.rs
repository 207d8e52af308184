//! Text in and out: made safe to print, times, JSON, and secrets replaced.

pub mod calendar;
pub mod clock;
pub mod escape;
pub mod json;
pub mod redact;
pub mod zone;
