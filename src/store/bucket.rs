//! What keeps baselines away from the work tree: objects that never change, and one index that says which of them count.

use std::{collections::BTreeSet, fmt};

use super::{StoreError, place::Swept};

/// What the index is called.
pub const INDEX: &str = "index.json";

/// Which state of the index was read, in the words of who keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// What is to take the place of a state that was read.
#[derive(Clone, Copy, Debug)]
pub struct Next<'a> {
    /// The index.
    pub index: &'a [u8],
    /// Objects by name that the index refers to and that may not be there yet. Their names tell their content.
    pub added: &'a [(String, Vec<u8>)],
    /// Names of all objects that it refers to.
    pub kept: &'a BTreeSet<String>,
}

/// Names of all objects that the index refers to by now.
pub type KeptNow<'a> = &'a dyn Fn() -> Result<BTreeSet<String>, StoreError>;

/// Objects by name, and an index that is swapped only while it is still what was read.
pub trait Bucket: fmt::Debug + Send + Sync {
    /// Whether it compresses what it keeps by itself.
    fn compresses(&self) -> bool;

    /// The index with its version; `None` where nothing was ever kept.
    ///
    /// # Errors
    /// It cannot be reached or read.
    fn index(&self) -> Result<Option<(Vec<u8>, Version)>, StoreError>;

    /// These objects, in this order; `None` for one that is not there.
    ///
    /// # Errors
    /// They cannot be reached or read.
    fn objects(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Writes the new objects, then swaps the index; `false`: somebody else swapped it since it was read (`None`: it was not
    /// there), and nothing of this counts.
    ///
    /// # Errors
    /// It cannot be written.
    fn replace(&self, was: Option<&Version>, next: Next<'_>) -> Result<bool, StoreError>;

    /// Takes away what the index does not refer to, or counts it; `None`: somebody else swapped the index since. Where nothing keeps
    /// writers off meanwhile, `kept_now` tells what they took up.
    ///
    /// # Errors
    /// It cannot be reached or written.
    fn sweep(
        &self,
        was: &Version,
        next: Next<'_>,
        kept_now: KeptNow<'_>,
        is_dry: bool,
    ) -> Result<Option<Swept>, StoreError>;
}
