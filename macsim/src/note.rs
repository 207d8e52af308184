//! The simulation's own messages, beside the program's.

use std::fmt::Arguments;
use std::io::Write as _;

/// Prints a line on standard error with one call, so that the program's own lines aren't mixed with it.
pub fn note(text: Arguments) {
    let line = format!("macsim: {text}\n");
    _ = std::io::stderr().write_all(line.as_bytes());
}
