//! The model: the catalogue of all events, the names of their numbers, and an event as read from any source.
//!
//! This room knows no other, except for the leaf that reads a member from a message of EndpointSecurity, which the
//! catalogue's rows name.

pub mod catalogue;
pub mod event;
pub mod explain;
pub mod tables;
pub mod wait;
