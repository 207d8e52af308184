//! What libSystem converts, seen from the program: each check panics where something is wrong.

/// Runs a check, or all.
pub fn main(name: &str, _: &[String]) {
    println!("{name}");
}
