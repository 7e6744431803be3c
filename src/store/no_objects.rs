//! A perfgate that was built without object storage.

use super::{Baselines, StoreError};

/// Whose storage it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon S3, and what speaks its language.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Baselines {
    /// Says that there is none.
    ///
    /// # Errors
    /// Always.
    pub fn in_objects(address: &str, _: Cloud, _: &str, _: &str) -> Result<Self, StoreError> {
        Err(StoreError::Elsewhere {
            action: "open",
            place: address.to_owned(),
            why: "this perfgate was built without object storage; build it with the feature `object-store`".into(),
        })
    }
}
