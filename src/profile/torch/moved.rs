//! Bytes that a copy moves, from the shapes and types of its inputs.

use crate::profile::json::{Broken, Cursor, whole};

/// Bytes that `aten::copy_(self, source)` reads and writes; `None` where shapes or types do not tell.
///
/// `elements(self) × size(self) + elements(source) × size(source)`: a source that is spread over `self` is read once.
pub(super) fn moved_by_copy(dims: &[u8], types: &[u8]) -> Option<u64> {
    let mut counts = Vec::new();
    each(dims, |cursor| {
        if cursor.peek()? == b'[' {
            counts.push(elements(cursor.value()?));
        } else {
            cursor.value()?;
            counts.push(None);
        }
        Ok(())
    })?;
    let mut sizes = Vec::new();
    each(types, |cursor| {
        sizes.push(size(cursor.value()?));
        Ok(())
    })?;
    let of = |place: usize| counts.get(place).copied()??.checked_mul(sizes.get(place).copied()??);
    of(0)?.checked_add(of(1)?)
}

fn each(list: &[u8], element: impl FnMut(&mut Cursor<'_>) -> Result<(), Broken>) -> Option<()> {
    let mut element = element;
    Cursor::new(list).list::<Broken>(|cursor| element(cursor)).ok()
}

/// `[4,256]` has 1,024 elements, `[]` one.
fn elements(dims: &[u8]) -> Option<u64> {
    let mut all = Some(1_u64);
    each(dims, |cursor| {
        let one = whole(cursor.value()?);
        all = all.zip(one).and_then(|(all, one)| all.checked_mul(one));
        Ok(())
    })?;
    all
}

/// Bytes of one element.
fn size(kind: &[u8]) -> Option<u64> {
    Some(match kind {
        b"double" | b"long int" | b"long" | b"long long" | b"unsigned long" | b"c10::complex<float>" => 8,
        b"float" | b"int" | b"unsigned int" => 4,
        b"c10::Half" | b"c10::BFloat16" | b"short" | b"short int" | b"unsigned short" => 2,
        b"bool" | b"unsigned char" | b"signed char" | b"char" => 1,
        name if name.starts_with(b"c10::Float8") => 1,
        b"c10::complex<double>" => 16,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_reads_its_source_and_writes_itself() {
        assert_eq!(
            moved_by_copy(b"[[4, 256], [4, 256], []]", br#"["float", "c10::BFloat16", "Scalar"]"#),
            Some(6144)
        );
        assert_eq!(
            moved_by_copy(b"[[4, 256], [], []]", br#"["float", "double", "Scalar"]"#),
            Some(4104)
        );
    }

    #[test]
    fn a_type_that_is_not_known_has_no_size() {
        assert_eq!(moved_by_copy(b"[[4], [4]]", br#"["Scalar", "float"]"#), None);
        assert_eq!(moved_by_copy(b"[[4]]", br#"["float"]"#), None);
        assert_eq!(moved_by_copy(b"[[4], 1]", br#"["float", "float"]"#), None);
        assert_eq!(moved_by_copy(b"", b""), None);
    }
}
