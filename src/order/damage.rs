//! Damage of the input, as it is reported and counted.

/// The number of warnings about a source after which further ones are only counted.
pub const MAX_WARNINGS: u64 = 50;

/// The reason given for a line that contains nothing that could be a message.
pub const NO_OBJECT: &str = "no JSON object";

/// A piece of damage in the input.
#[derive(Debug)]
pub struct Damage {
    /// The line, counted from 1.
    pub line: u64,
    /// The reason.
    pub reason: String,
    /// True if an event was lost because of it, and not only the type of a member.
    pub is_loss: bool,
    /// The number of times that it happened: more than one only after [`MAX_WARNINGS`] others.
    pub count: u64,
}
