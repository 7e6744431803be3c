//! What whoever looks on is told while a run goes on: each request that ended, and how many are under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use crate::session::RequestRecord;

/// Somebody who is told of each request that ended, warm-up included.
pub trait Watch: Sync {
    /// A request ended.
    fn request_done(&self, record: &RequestRecord);
    /// What counts the requests under way, if anybody looks at it.
    fn in_flight(&self) -> InFlight {
        InFlight::default()
    }

    /// The clock from which the stamps of what is sent count begins at this instant, perhaps in a moment.
    fn clock_starts(&self, _at: Instant) {}

    /// When the first of what is sent may be sent; `None`: as soon as it is ready.
    fn begins_at(&self) -> Option<Instant> {
        None
    }
}

/// A count that may be read while a run goes on. By default nobody looks, and nothing is counted.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Option<Arc<AtomicU32>>);

impl InFlight {
    /// One that counts.
    pub fn counted() -> Self {
        Self(Some(Arc::default()))
    }

    /// Requests under way now.
    pub fn now(&self) -> u32 {
        self.0.as_ref().map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// One more, until what is given back is dropped: also where its task is stopped.
    pub(super) fn enter(&self) -> UnderWay<'_> {
        let count = self.0.as_deref();
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        UnderWay(count)
    }
}

/// One request under way.
pub(super) struct UnderWay<'a>(Option<&'a AtomicU32>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_until_it_ends_however_it_ends() {
        let counted = InFlight::counted();
        let seen = counted.clone();
        let (one, two) = (counted.enter(), counted.enter());
        assert_eq!(seen.now(), 2);
        drop(one);
        assert_eq!(seen.now(), 1);
        drop(two);
        let nobody = InFlight::default();
        let _one = nobody.enter();
        assert_eq!((seen.now(), nobody.now()), (0, 0));
    }
}
