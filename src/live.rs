//! A live trace: which source it takes, and what to say where macOS refuses.

use crate::cli::Source;
use crate::config::Printing;
use crate::exit::{Exit, warn};

/// Prints events as they happen.
#[cfg(not(target_os = "macos"))]
pub fn trace(_: Source, _: Printing) -> Exit {
    warn(format_args!(
        "a live trace takes macOS; here, give a recording with -r FILE, or pipe eslogger into -r -"
    ));
    Exit::Failed
}
