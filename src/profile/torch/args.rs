//! What is asked of an event's `args`, which make up most of a trace.

use crate::profile::json::{Broken, Cursor, whole};

/// Of an operator.
#[derive(Clone, Copy, Default)]
pub(super) struct OpArgs<'a> {
    pub(super) dims: Option<&'a [u8]>,
    pub(super) types: Option<&'a [u8]>,
    pub(super) external_id: Option<u64>,
}

/// Of work on a device.
#[derive(Clone, Copy, Default)]
pub(super) struct DeviceArgs {
    pub(super) device: Option<u32>,
    pub(super) correlation: Option<u64>,
    pub(super) external_id: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) grid: Option<[u32; 3]>,
    pub(super) block: Option<[u32; 3]>,
}

/// Of a call or an allocation.
#[derive(Clone, Copy, Default)]
pub(super) struct Numbers {
    pub(super) correlation: Option<u64>,
    pub(super) bytes: Option<i64>,
    pub(super) in_use_bytes: Option<u64>,
    pub(super) device_type: Option<u64>,
}

/// Each member of `args`; what is no object has none.
fn each<'a>(args: &'a [u8], mut member: impl FnMut(&'a [u8], &'a [u8])) {
    let mut cursor = Cursor::new(args);
    // The value was walked through once already: it is whole.
    let _ = cursor.object::<Broken>(|key, cursor| {
        member(key, cursor.value()?);
        Ok(())
    });
}

/// Of an operator.
pub(super) fn of_op(args: &[u8]) -> OpArgs<'_> {
    let mut found = OpArgs::default();
    each(args, |key, value| match key {
        b"Input Dims" | b"Input dims" => found.dims = Some(value),
        b"Input type" | b"Input types" => found.types = Some(value),
        b"External id" | b"external id" => found.external_id = whole(value),
        _ => {}
    });
    found
}

/// Of a kernel, copy or memset.
pub(super) fn of_device(args: &[u8]) -> DeviceArgs {
    let mut found = DeviceArgs::default();
    each(args, |key, value| match key {
        b"device" => found.device = whole(value).and_then(|device| u32::try_from(device).ok()),
        b"correlation" => found.correlation = whole(value),
        b"External id" | b"external id" => found.external_id = whole(value),
        b"bytes" => found.bytes = whole(value),
        b"grid" => found.grid = three(value),
        b"block" => found.block = three(value),
        _ => {}
    });
    found
}

/// Of a call or an allocation.
pub(super) fn numbers(args: &[u8]) -> Numbers {
    let mut found = Numbers::default();
    each(args, |key, value| match key {
        b"correlation" => found.correlation = whole(value),
        b"Bytes" => found.bytes = signed(value),
        b"Total Allocated" => found.in_use_bytes = whole(value),
        b"Device Type" => found.device_type = whole(value),
        _ => {}
    });
    found
}

fn signed(value: &[u8]) -> Option<i64> {
    let (digits, sign) = match value {
        [b'-', digits @ ..] => (digits, -1),
        digits => (digits, 1),
    };
    whole(digits)
        .and_then(|number| i64::try_from(number).ok())
        .map(|number| sign * number)
}

/// `[132, 1, 1]`.
fn three(value: &[u8]) -> Option<[u32; 3]> {
    let mut found = Vec::with_capacity(3);
    Cursor::new(value)
        .list::<Broken>(|cursor| {
            found.push(whole(cursor.value()?).and_then(|number| u32::try_from(number).ok()));
            Ok(())
        })
        .ok()?;
    let numbers: Option<Vec<u32>> = found.into_iter().collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_shape_has_three_whole_numbers() {
        assert_eq!(three(b"[132, 1, 2]"), Some([132, 1, 2]));
        assert_eq!(three(b"[132, 1]"), None);
        assert_eq!(three(b"[132, 1, -2]"), None);
        assert_eq!(three(b"\"x\""), None);
    }

    #[test]
    fn what_is_freed_is_below_zero() {
        let freed = numbers(br#"{"Total Allocated": 8192, "Bytes": -64, "Device Type": 0}"#);
        assert_eq!(
            (freed.bytes, freed.in_use_bytes, freed.device_type),
            (Some(-64), Some(8192), Some(0))
        );
    }

    #[test]
    fn args_that_are_no_object_tell_nothing() {
        assert!(of_op(b"null").external_id.is_none());
        assert!(of_op(b"").external_id.is_none());
    }
}
