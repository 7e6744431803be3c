//! Takes away what no index refers to, while others may write.
//!
//! Storage has no lock, and a name tells only the content: a writer may put an object anew that is just being taken away. So who took
//! objects away looks at the index afterwards, and puts back what it refers to by then; and who swapped the index looks afterwards
//! whether its objects are still there. Whichever of the two was the later one sees what the other did.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use object_store::{Error, ObjectMeta, ObjectStoreExt};

use super::{
    super::{
        StoreError,
        bucket::{KeptNow, Next, Version},
        files::KINDS,
        place::Swept,
    },
    Objects,
};

/// So many bytes of what was taken away are held at a time, until it is known that nobody wants them.
const MOST_HELD_BYTES: usize = 64 << 20;

/// An object that was taken away, with its name.
type Taken = (String, Vec<u8>);

impl Objects {
    pub(super) fn swept(
        &self,
        was: &Version,
        kept: &BTreeSet<String>,
        kept_now: KeptNow<'_>,
        is_dry: bool,
    ) -> Result<Option<Swept>, StoreError> {
        let found = async {
            let stray = self.stray(kept).await?;
            // What somebody has taken up meanwhile must not go.
            let now = self.index_now().await?.map(|(_, version)| version);
            Ok((now.as_ref() == Some(was)).then_some(stray))
        };
        let found = self.runtime.block_on(found);
        let Some(stray) = found.map_err(|error: Error| self.failed("tidy up", &error))? else {
            return Ok(None);
        };
        if is_dry {
            return Ok(Some(Swept {
                objects: stray.len(),
                bytes: stray.iter().map(|(_, bytes)| bytes).sum(),
            }));
        }
        let mut swept = Swept::default();
        let mut waiting = stray.iter().map(|(name, _)| name.as_str()).peekable();
        while waiting.peek().is_some() {
            let gone = self.taken(&mut waiting, kept_now)?;
            swept.objects += gone.objects;
            swept.bytes += gone.bytes;
        }
        Ok(Some(swept))
    }

    /// Takes some of these objects away, as many as can be held, and puts back what the index refers to by now.
    fn taken<'a>(&self, names: &mut impl Iterator<Item = &'a str>, kept_now: KeptNow<'_>) -> Result<Swept, StoreError> {
        let mut taken: Vec<Taken> = Vec::new();
        let done = self.runtime.block_on(async {
            while taken.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < MOST_HELD_BYTES
                && let Some(name) = names.next()
            {
                self.take(name, &mut taken).await?;
            }
            Ok::<_, Error>(())
        });
        let kept = kept_now();
        // Where the index cannot be asked, all of it may be wanted.
        let is_wanted = |(name, _): &Taken| kept.as_ref().map_or(true, |kept| kept.contains(name));
        let (wanted, gone): (Vec<Taken>, Vec<Taken>) = taken.into_iter().partition(is_wanted);
        let put_back = self.runtime.block_on(self.put(&wanted));
        put_back.and(done).map_err(|error| self.failed("tidy up", &error))?;
        kept?;
        Ok(Swept {
            objects: gone.len(),
            bytes: gone.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
        })
    }

    /// Takes an object away, unless it was put again since it was listed.
    async fn take(&self, name: &str, taken: &mut Vec<Taken>) -> Result<(), Error> {
        let path = self.path(name);
        let found = match self.store.get(&path).await {
            Err(Error::NotFound { .. }) => return Ok(()),
            found => found?,
        };
        if !self.is_old(&found.meta) {
            return Ok(());
        }
        taken.push((name.to_owned(), found.bytes().await?.to_vec()));
        self.store.delete(&path).await
    }

    async fn stray(&self, kept: &BTreeSet<String>) -> Result<Vec<(String, u64)>, Error> {
        let mut stray = Vec::new();
        for kind in KINDS {
            let listed = self.store.list_with_delimiter(Some(&self.path(kind))).await?;
            for object in listed.objects {
                let name = format!("{kind}/{}", object.location.filename().unwrap_or_default());
                if !kept.contains(&name) && self.is_old(&object) {
                    stray.push((name, object.size));
                }
            }
        }
        Ok(stray)
    }

    /// The clock is that of the storage on one side only; the grace is long.
    fn is_old(&self, object: &ObjectMeta) -> bool {
        let then = SystemTime::from(object.last_modified);
        let age: Duration = SystemTime::now().duration_since(then).unwrap_or_default();
        age > self.grace
    }

    /// Swaps the index, and puts those objects again that somebody took away meanwhile.
    pub(super) async fn swapped_whole(&self, was: Option<&Version>, next: Next<'_>) -> Result<bool, Error> {
        let is_swapped = self.swapped(was, next.index).await?;
        for object in next.added {
            match self.store.head(&self.path(&object.0)).await {
                Err(Error::NotFound { .. }) => self.put(std::slice::from_ref(object)).await?,
                found => drop(found?),
            }
        }
        Ok(is_swapped)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::{ObjectStore, memory::InMemory};
    use tokio::runtime::Builder;

    use super::{
        super::{super::Bucket, Cloud},
        *,
    };

    const NAME: &str = "sessions/a.json";

    /// As another process sees the same bucket, in which everything is old enough to go.
    fn opened(store: &Arc<InMemory>) -> Objects {
        Objects {
            address: "s3://b/p".into(),
            cloud: Cloud::S3,
            prefix: "p".into(),
            grace: Duration::ZERO,
            store: Arc::clone(store) as Arc<dyn ObjectStore>,
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    fn added() -> [Taken; 1] {
        [(NAME.into(), b"{}".to_vec())]
    }

    fn next<'a>(index: &'a [u8], added: &'a [Taken], kept: &'a BTreeSet<String>) -> Next<'a> {
        Next { index, added, kept }
    }

    fn is_there(objects: &Objects) -> bool {
        objects.objects(&[NAME.into()]).unwrap()[0].is_some()
    }

    /// A bucket with an index that refers to nothing, and an object that a writer left behind.
    fn with_a_stray() -> (Arc<InMemory>, Version) {
        let store = Arc::new(InMemory::new());
        let objects = opened(&store);
        let kept = BTreeSet::new();
        assert!(objects.replace(None, next(b"1", &added(), &kept)).unwrap());
        std::thread::sleep(Duration::from_millis(5));
        let (_, version) = objects.index().unwrap().unwrap();
        (store, version)
    }

    #[test]
    fn what_nobody_wants_goes() {
        let (store, was) = with_a_stray();
        let objects = opened(&store);
        let kept = BTreeSet::new();
        let none = || Ok(BTreeSet::new());
        let swept = |is_dry| objects.sweep(&was, next(b"1", &[], &kept), &none, is_dry).unwrap();
        let one = Some(Swept { objects: 1, bytes: 2 });
        assert_eq!(swept(true), one);
        assert!(is_there(&objects));
        assert_eq!(swept(false), one);
        assert!(!is_there(&objects));
        assert_eq!(swept(false), Some(Swept::default()));
    }

    #[test]
    fn what_a_writer_took_up_between_the_list_and_the_removal_is_put_back() {
        let (store, was) = with_a_stray();
        let (sweeper, writer) = (opened(&store), opened(&store));
        let stray = sweeper.runtime.block_on(sweeper.stray(&BTreeSet::new())).unwrap();
        assert_eq!(stray, [(NAME.to_owned(), 2)]);
        let kept = BTreeSet::from([NAME.to_owned()]);
        assert!(writer.replace(Some(&was), next(b"2", &added(), &kept)).unwrap());
        std::thread::sleep(Duration::from_millis(5));
        let mut names = stray.iter().map(|(name, _)| name.as_str());
        let gone = sweeper.taken(&mut names, &|| Ok(kept.clone())).unwrap();
        assert_eq!(gone, Swept::default());
        assert!(is_there(&writer));

        // Nor is it lost where the index cannot be asked.
        let lost = || Err(StoreError::Missing { path: "index".into() });
        let mut names = stray.iter().map(|(name, _)| name.as_str());
        assert!(sweeper.taken(&mut names, &lost).is_err());
        assert!(is_there(&writer));
    }

    #[test]
    fn what_went_between_the_writing_and_the_swap_is_written_again() {
        let (store, was) = with_a_stray();
        let (sweeper, writer) = (opened(&store), opened(&store));
        writer.runtime.block_on(writer.put(&added())).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        // Nothing refers to it yet.
        let none = || Ok(BTreeSet::new());
        let swept = sweeper
            .sweep(&was, next(b"1", &[], &BTreeSet::new()), &none, false)
            .unwrap();
        assert_eq!(swept.map(|swept| swept.objects), Some(1));
        let (all, kept) = (added(), BTreeSet::from([NAME.to_owned()]));
        let swap = writer.swapped_whole(Some(&was), next(b"2", &all, &kept));
        assert!(writer.runtime.block_on(swap).unwrap());
        assert!(is_there(&writer));
    }
}
