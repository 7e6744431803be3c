//! What a file leaves out because most plans share it, and how times stand in it.

/// Whether a value is its type's usual one.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_one(value: &u32) -> bool {
    *value == 1
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn one() -> u32 {
    1
}

/// One percent of failed requests.
pub(super) fn max_error_rate() -> f64 {
    0.01
}

/// A time as whole nanoseconds.
pub(super) mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// What does not fit (584 years) is cut.
    pub(in crate::store) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(in crate::store) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}
