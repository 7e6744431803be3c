//! Programs that we start: each leads a process group, which is ended whole, and gets no token of the job.
//!
//! What any of the hands may stand on; the server under test and the `git` program are their own modules' matter.

mod group;
mod running;
pub mod withheld;

pub use self::{
    group::{Group, in_group_of_its_own, stop_all},
    running::{End, Running},
};
