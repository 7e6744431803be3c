//! The forge: what perfgate reads from and writes to GitHub, behind one trait.
//!
//! What is written is made elsewhere (`render`, `commands::post`); here is how it gets there, once, and what was refused.

mod answers;
mod checks;
mod client;
mod compared;
mod contents;
mod error;
mod event;
mod forge;
pub mod limits;
mod pulls;
mod retry;
mod settings;
mod step;
mod sticky;
mod wire;

pub use checks::{Told, tell};
pub use client::Client;
pub use compared::{Brought, Compared, FileChange};
pub use error::ForgeError;
pub use event::{Event, RunPull, WorkflowRun};
pub use forge::{Annotation, CheckRun, Comment, Conclusion, Forge, Head, Level, Login, Pull, State, Status};
pub use pulls::{Found, Standing, find_pull, standing};
pub use settings::{Pace, Repository, Settings, TOKEN_VARIABLE};
pub use step::{Output, Step, StepError};
pub use sticky::{How, Key, Mode, Posted, upsert};
