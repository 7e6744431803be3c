//! The noise of earlier pairs, beside the baselines of a directory.

use std::path::PathBuf;

use super::{
    Baselines, StoreError, names,
    noise_file::{self, NoiseFile},
};
use crate::compare::{PairNoise, PairVariance};

impl Baselines {
    /// How far apart the pairs of earlier A/B measurements of this plan lay in the candidate's environment; nothing where
    /// none was kept.
    ///
    /// # Errors
    /// When the file there is broken or newer: noise that cannot be read must not look like none.
    pub fn pair_noise(&self, plan_hash: &str, environment_hash: &str) -> Result<PairNoise, StoreError> {
        let path = self.noise_path(plan_hash, environment_hash)?;
        let stored = match self.place.read(&path) {
            Err(StoreError::Missing { .. }) => None,
            bytes => Some(NoiseFile::read(&path, &bytes?)?),
        };
        stored.map_or_else(|| Ok(PairNoise::default()), |file| file.noise(&path))
    }

    /// Keeps how far apart the pairs of an A/B measurement lay; gives the file back.
    ///
    /// A measurement that is there already, by its id, is replaced. Beyond [`super::MAX_NOISE`] measurements the oldest
    /// go. A variance without degrees of freedom, or one that is no number, is left out.
    ///
    /// # Errors
    /// When the file there is broken or newer, or the file system refuses.
    pub fn add_pair_noise(
        &self,
        plan_hash: &str,
        environment_hash: &str,
        variances: &[PairVariance],
    ) -> Result<PathBuf, StoreError> {
        self.refuse_read_only()?;
        let path = self.noise_path(plan_hash, environment_hash)?;
        self.place.change_noise(&path, &mut |stored| {
            let mut file = stored.unwrap_or_else(|| NoiseFile::new(plan_hash, environment_hash));
            file.add(variances);
            Ok(file)
        })?;
        Ok(path)
    }

    fn noise_path(&self, plan_hash: &str, environment_hash: &str) -> Result<PathBuf, StoreError> {
        names::check_hash(plan_hash)?;
        names::check_hash(environment_hash)?;
        let name = format!("{}{plan_hash}-{environment_hash}.json", noise_file::PREFIX);
        Ok(self.dir.join(name))
    }
}
