//! Damage of the input, as it is reported and counted.

/// The number of warnings about a source after which further ones are only counted.
pub const MAX_WARNINGS: u64 = 50;

/// What is wrong with a line that has nothing that could be a message.
pub const NO_OBJECT: &str = "no JSON object";

/// Something in the input that was not as it should be.
#[derive(Debug)]
pub struct Damage {
    /// The line, counted from 1.
    pub line: u64,
    /// The reason.
    pub reason: String,
    /// True if an event was lost by it, and not only the type of a member.
    pub is_loss: bool,
    /// The number of times that it happened: more than once only for what comes after [`MAX_WARNINGS`] others.
    pub count: u64,
}
