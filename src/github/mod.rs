//! The forge: what perfgate reads from and writes to GitHub, behind one trait.
//!
//! What is written is made elsewhere (`render`, `commands::post`); here is how it gets there, once, and what was refused.

mod error;
mod event;
mod forge;

pub use error::ForgeError;
pub use event::{Event, WorkflowRun};
pub use forge::{Annotation, CheckRun, Comment, Conclusion, Forge, Head, Level, Login, Pull, State, Status};
