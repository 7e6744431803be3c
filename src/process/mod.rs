//! Programs that we start: each leads a process group, which is ended whole, and gets no token of the job.
//!
//! What any of the hands may stand on; the server under test and the `git` program are their own modules' matter.

mod group;
mod leader;
mod running;
mod table;
pub mod withheld;

use std::{env, path::PathBuf};

pub use self::{
    group::{Group, in_group_of_its_own, stop_all},
    leader::Leader,
    running::{End, Running},
    table::{Identity, listener, name_of, numbering, with_variable},
};

/// Where what is ours for the moment lies: the runner's own folder for temporary files, else the system's.
pub fn temporary() -> PathBuf {
    env::var_os("RUNNER_TEMP").map_or_else(env::temp_dir, PathBuf::from)
}
