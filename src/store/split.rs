//! Baselines in a bucket: the index is read once for each question, and sessions only of the baseline that is asked for.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    Baselines, StoreError,
    baseline::{self, Whole},
    baseline_file::BaselineHeader,
    bucket::{Bucket, INDEX, Next, Version},
    index_file::{HeadFile, IndexFile},
    info::BaselineInfo,
    noise_file::NoiseFile,
    parts::{object_name, packed, parts, unpacked, whole},
    place::{Change, Each, Look, NoiseChange, Place, Swept, name_of},
    read,
};

/// How long a writer whom others outrun tries again; so many times at least.
const PATIENCE: Duration = Duration::from_secs(60);
const FEWEST_TRIES: u32 = 8;
/// The pauses between tries begin with this one, and grow up to so many times of it.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: u32 = 50;

/// Beyond so many bytes what was read is forgotten.
const MOST_KNOWN_BYTES: usize = 64 << 20;

const SESSIONS: &str = "sessions";
const NOISE: &str = "noise";

/// A bucket that looks like a folder of baselines.
#[derive(Debug)]
struct Split {
    dir: PathBuf,
    bucket: Box<dyn Bucket>,
    /// Objects that were read or written already; they never change.
    known: Mutex<BTreeMap<String, Arc<Vec<u8>>>>,
}

/// The index as it stood.
struct Snapshot {
    index: IndexFile,
    version: Option<Version>,
}

impl Baselines {
    /// Baselines in a bucket, which messages call by this address.
    pub fn in_bucket(address: &str, bucket: Box<dyn Bucket>) -> Self {
        let dir = PathBuf::from(address);
        let place = Arc::new(Split {
            dir: dir.clone(),
            bucket,
            known: Mutex::default(),
        });
        Self { dir, place }
    }
}

impl Split {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(match self.bucket.index()? {
            None => Snapshot {
                index: IndexFile::new(),
                version: None,
            },
            Some((bytes, version)) => Snapshot {
                index: IndexFile::read(&self.dir.join(INDEX), &bytes)?,
                version: Some(version),
            },
        })
    }

    fn is_own(&self, path: &Path) -> bool {
        path.parent() == Some(&self.dir)
    }

    fn name(&self, kind: &str, content: &str) -> String {
        object_name(kind, content, !self.bucket.compresses())
    }

    /// The objects of a kind by their content, as they are kept.
    fn fetched<'a>(
        &self,
        kind: &str,
        contents: impl Iterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Arc<Vec<u8>>>, StoreError> {
        let wanted: BTreeSet<&str> = contents.collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Vec<&str> = wanted
            .iter()
            .copied()
            .filter(|content| !known.contains_key(*content))
            .collect();
        let names: Vec<String> = missing.iter().map(|content| self.name(kind, content)).collect();
        let read = if names.is_empty() {
            Vec::new()
        } else {
            self.bucket.objects(&names)?
        };
        let size = |known: &BTreeMap<String, Arc<Vec<u8>>>| known.values().map(|bytes| bytes.len()).sum::<usize>();
        let mut found: BTreeMap<String, Arc<Vec<u8>>> = wanted
            .iter()
            .filter_map(|content| Some(((*content).to_owned(), Arc::clone(known.get(*content)?))))
            .collect();
        for (content, bytes) in missing.into_iter().zip(read) {
            if let Some(bytes) = bytes {
                let bytes = Arc::new(bytes);
                known.insert(content.to_owned(), Arc::clone(&bytes));
                found.insert(content.to_owned(), bytes);
            }
        }
        if size(&known) > MOST_KNOWN_BYTES {
            known.clear();
        }
        Ok(found)
    }

    /// A baseline as it would stand in a folder.
    fn assembled(&self, path: &Path, head: &HeadFile) -> Result<Vec<u8>, StoreError> {
        let fetched = self.fetched(SESSIONS, head.contents())?;
        whole(path, head, |content| self.opened(path, SESSIONS, content, &fetched))
    }

    fn opened(
        &self,
        path: &Path,
        kind: &str,
        content: &str,
        fetched: &BTreeMap<String, Arc<Vec<u8>>>,
    ) -> Result<Vec<u8>, StoreError> {
        let object = self.dir.join(self.name(kind, content));
        let kept = fetched.get(content).ok_or_else(|| StoreError::Lost {
            path: path.to_owned(),
            object: object.clone(),
        })?;
        unpacked(kept, content, !self.bucket.compresses()).ok_or_else(|| StoreError::ChainBroken {
            path: path.to_owned(),
            entry: object.display().to_string(),
            problem: "this object does not hold what was saved there".into(),
        })
    }

    /// What `ask` makes of the index; once more where an object was swept away between the reading of the index and its own.
    fn asked<T>(&self, ask: impl Fn(&IndexFile) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let snapshot = self.snapshot()?;
        match ask(&snapshot.index) {
            Err(StoreError::Lost { path, object }) => {
                let again = self.snapshot()?;
                if again.version == snapshot.version {
                    return Err(StoreError::Lost { path, object });
                }
                ask(&again.index)
            }
            other => other,
        }
    }

    /// Changes the index until nobody was faster; `edit` gives the new objects, or `None` where nothing is to be changed.
    fn swap(
        &self,
        mut edit: impl FnMut(&mut IndexFile) -> Result<Option<Objects>, StoreError>,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            let mut snapshot = self.snapshot()?;
            let Some(added) = edit(&mut snapshot.index)? else {
                return Ok(());
            };
            tries += 1;
            if self.replaced(&mut snapshot, &added)? {
                return Ok(());
            }
            if tries >= FEWEST_TRIES && began.elapsed() > PATIENCE {
                return Err(StoreError::Outrun {
                    place: self.dir.display().to_string(),
                    tries,
                });
            }
            thread::sleep(pause(tries));
        }
    }

    fn replaced(&self, snapshot: &mut Snapshot, added: &Objects) -> Result<bool, StoreError> {
        let index = snapshot.index.bytes(&self.dir.join(INDEX))?;
        let kept = self.kept(&snapshot.index);
        let next = Next {
            index: &index,
            added,
            kept: &kept,
        };
        match self.bucket.replace(snapshot.version.as_ref(), next) {
            Ok(true) => Ok(true),
            // An answer that was lost on the way does not mean that the swap was.
            Ok(false) => Ok(self.holds(&index)),
            Err(error) if self.holds(&index) => {
                drop(error);
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn holds(&self, index: &[u8]) -> bool {
        matches!(self.bucket.index(), Ok(Some((bytes, _))) if bytes == index)
    }

    fn kept(&self, index: &IndexFile) -> BTreeSet<String> {
        let (sessions, noise) = index.contents();
        let sessions = sessions.into_iter().map(|content| self.name(SESSIONS, content));
        let noise = noise.into_iter().map(|content| self.name(NOISE, content));
        sessions.chain(noise).collect()
    }

    fn packed(&self, kind: &str, content: &str, raw: Vec<u8>) -> (String, Vec<u8>) {
        (self.name(kind, content), packed(raw, !self.bucket.compresses()))
    }
}

/// Objects by their names.
type Objects = Vec<(String, Vec<u8>)>;

impl Place for Split {
    fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let index = self.snapshot()?.index;
        let names = index.baselines.keys().chain(index.noise.keys());
        Ok(names.map(|name| self.dir.join(name)).collect())
    }

    fn read(&self, path: &Path) -> Result<Cow<'_, [u8]>, StoreError> {
        if !self.is_own(path) {
            return read::bytes_of(path).map(Cow::Owned);
        }
        let missing = || StoreError::Missing { path: path.to_owned() };
        let name = name_of(path);
        self.asked(|index| match (index.baselines.get(&name), index.noise.get(&name)) {
            (Some(head), _) => self.assembled(path, head).map(Cow::Owned),
            (None, Some(content)) => {
                let fetched = self.fetched(NOISE, [content.as_str()].into_iter())?;
                self.opened(path, NOISE, content, &fetched).map(Cow::Owned)
            }
            (None, None) => Err(missing()),
        })
    }

    fn has_file(&self, path: &Path) -> bool {
        !self.is_own(path) && path.is_file()
    }

    fn change(&self, path: &Path, change: Change<'_>) -> Result<(), StoreError> {
        let name = name_of(path);
        self.swap(|index| {
            let old = index.baselines.get(&name);
            let stored = match old {
                Some(head) => Some(baseline::stored_in(path, &self.assembled(path, head)?)?),
                None => None,
            };
            let known: BTreeMap<String, String> = old
                .into_iter()
                .flat_map(|head| &head.history)
                .map(|entry| (entry.sha256.clone(), entry.content.clone()))
                .collect();
            let Some(mut file) = change(stored)? else {
                return Ok(None);
            };
            Whole::seal_up(&mut file, path)?;
            let (head, new) = parts(path, &file, &known)?;
            index.baselines.insert(name.clone(), head);
            let new = new
                .into_iter()
                .map(|(content, raw)| self.packed(SESSIONS, &content, raw));
            Ok(Some(new.collect()))
        })
    }

    fn change_noise(&self, path: &Path, change: NoiseChange<'_>) -> Result<(), StoreError> {
        let name = name_of(path);
        self.swap(|index| {
            let stored = match index.noise.get(&name) {
                Some(content) => {
                    let fetched = self.fetched(NOISE, [content.as_str()].into_iter())?;
                    Some(NoiseFile::read(path, &self.opened(path, NOISE, content, &fetched)?)?)
                }
                None => None,
            };
            let raw = change(stored)?.bytes(path)?;
            let content = super::chain::sha256(&raw);
            let object = self.packed(NOISE, &content, raw);
            index.noise.insert(name.clone(), content);
            Ok(Some(vec![object]))
        })
    }

    fn remove(&self, path: &Path, look: Look<'_>) -> Result<(), StoreError> {
        let name = name_of(path);
        self.swap(|index| {
            look()?;
            match index.baselines.remove(&name) {
                Some(_) => Ok(Some(Vec::new())),
                None => Err(StoreError::Missing { path: path.to_owned() }),
            }
        })
    }

    fn headers(&self) -> Result<Each<BaselineHeader>, StoreError> {
        let heads = self.snapshot()?.index.baselines.into_iter();
        Ok(heads
            .map(|(name, head)| (self.dir.join(name), Ok(head.header())))
            .collect())
    }

    fn infos(&self) -> Result<Each<BaselineInfo>, StoreError> {
        let heads = self.snapshot()?.index.baselines.into_iter();
        Ok(heads
            .map(|(name, head)| (self.dir.join(name), Ok(head.info())))
            .collect())
    }

    fn sweep(&self, is_dry: bool) -> Result<Swept, StoreError> {
        let mut tries = 0;
        loop {
            let mut snapshot = self.snapshot()?;
            let Some(version) = snapshot.version.take() else {
                return Ok(Swept::default());
            };
            let index = snapshot.index.bytes(&self.dir.join(INDEX))?;
            let kept = self.kept(&snapshot.index);
            let next = Next {
                index: &index,
                added: &[],
                kept: &kept,
            };
            let kept_now = || Ok(self.kept(&self.snapshot()?.index));
            tries += 1;
            match self.bucket.sweep(&version, next, &kept_now, is_dry)? {
                Some(swept) => return Ok(swept),
                None if tries < FEWEST_TRIES => thread::sleep(pause(tries)),
                None => {
                    return Err(StoreError::Outrun {
                        place: self.dir.display().to_string(),
                        tries,
                    });
                }
            }
        }
    }
}

/// Longer from one try to the next, and not the same for two writers that began together.
fn pause(tries: u32) -> Duration {
    let longest = PAUSE * 2_u32.saturating_pow(tries).min(LONGEST_PAUSE);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.subsec_nanos());
    let share = now
        .wrapping_mul(2_654_435_761)
        .wrapping_add(process::id().wrapping_mul(40_503))
        % 1000;
    longest * (share + 1) / 1000
}
