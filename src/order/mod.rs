//! Events in their order: facts, the stages that look at them, losses and damage.

pub mod damage;
pub mod fact;
pub mod loss;
pub mod stage;
