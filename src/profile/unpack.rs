//! A gzip file whole, in memory, held to its checksum; and one of our own.

use std::io;

use miniz_oxide::{
    deflate::compress_to_vec,
    inflate::{
        TINFLStatus,
        core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
    },
};

use super::gzip;

/// Checksum and length behind each member.
const TRAILER_BYTES: usize = 8;

/// Traces pack to a twentieth or a fiftieth; what packs a thousandfold was made to fill a memory.
const MOST_TIMES: usize = 200;

/// How well we pack: better takes longer than it is worth.
const LEVEL: u8 = 6;

/// Up to here it may be packed as well as it can.
const SMALL_BYTES: usize = 64 << 20;

/// What is packed, all members one after the other.
///
/// # Errors
/// It is cut off (`UnexpectedEof`), broken (`InvalidData`), or unpacks to more than a trace (`FileTooLarge`).
pub(super) fn unpack(packed: &[u8], limit_bytes: usize) -> io::Result<Vec<u8>> {
    let limit_bytes = packed
        .len()
        .saturating_mul(MOST_TIMES)
        .max(SMALL_BYTES)
        .min(limit_bytes);
    let (mut all, mut rest) = (Vec::new(), packed);
    while gzip::is_gzip(rest) {
        gzip::skip_header(&mut rest)?;
        let (own, behind) = member(rest, limit_bytes - all.len())?;
        let (trailer, next) = behind
            .split_at_checked(TRAILER_BYTES)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        if trailer.first_chunk() != Some(&checksum(&own).to_le_bytes()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        rest = next;
        if all.is_empty() {
            all = own;
        } else {
            all.extend(own);
        }
    }
    Ok(all)
}

/// Unpacks one member; gives back what follows it too.
fn member(packed: &[u8], limit_bytes: usize) -> io::Result<(Vec<u8>, &[u8])> {
    let mut own = vec![0; size_said(packed).clamp(1, limit_bytes.max(1))];
    let mut state = Box::<DecompressorOxide>::default();
    let (mut taken, mut filled) = (0, 0);
    loop {
        let input = packed.get(taken..).unwrap_or_default();
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, read, written) = decompress(&mut state, input, &mut own, filled, flags);
        taken += read;
        filled += written;
        match status {
            TINFLStatus::Done => break,
            TINFLStatus::HasMoreOutput if own.len() >= limit_bytes => return Err(io::ErrorKind::FileTooLarge.into()),
            TINFLStatus::HasMoreOutput => {
                let room = own.len().saturating_mul(2).max(1 << 16).min(limit_bytes);
                own.resize(room, 0);
            }
            TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    own.truncate(filled);
    Ok((own, packed.get(taken..).unwrap_or_default()))
}

/// The last four bytes of a file with one member tell its size; believed only as far as packing goes.
fn size_said(packed: &[u8]) -> usize {
    let said = packed.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
    let most = packed.len().saturating_mul(MOST_TIMES);
    usize::try_from(said).unwrap_or(most).min(most)
}

const TABLES: [[u32; 256]; 8] = tables();

/// A text as one gzip member, which says neither when nor as what it was packed.
pub(super) fn pack(text: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    packed.extend(compress_to_vec(text, LEVEL));
    packed.extend(checksum(text).to_le_bytes());
    // Its size modulo 2^32.
    packed.extend(text.len().to_le_bytes().into_iter().take(4));
    packed
}

/// CRC-32 of gzip (RFC 1952, 8), eight bytes at a time.
fn checksum(bytes: &[u8]) -> u32 {
    let look = |table: usize, byte: u32| {
        let place = usize::try_from(byte & 255).unwrap_or_default();
        TABLES
            .get(table)
            .and_then(|table| table.get(place))
            .copied()
            .unwrap_or_default()
    };
    let (eights, rest) = bytes.as_chunks::<8>();
    let crc = eights.iter().fold(u32::MAX, |crc, [a, b, c, d, e, f, g, h]| {
        let low = crc ^ u32::from_le_bytes([*a, *b, *c, *d]);
        let high = u32::from_le_bytes([*e, *f, *g, *h]);
        (0..4).fold(0, |all, place| {
            let shift = 8 * u32::try_from(place).unwrap_or_default();
            all ^ look(7 - place, low >> shift) ^ look(3 - place, high >> shift)
        })
    });
    let crc = rest
        .iter()
        .fold(crc, |crc, byte| look(0, crc ^ u32::from(*byte)) ^ (crc >> 8));
    !crc
}

#[expect(
    clippy::indexing_slicing,
    reason = "in a constant, where an index beyond the end does not compile"
)]
#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut place = 0;
    while place < 256 {
        let (mut value, mut bit) = (place as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 {
                0xedb8_8320 ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        tables[0][place] = value;
        place += 1;
    }
    let mut table = 1;
    while table < 8 {
        place = 0;
        while place < 256 {
            let before: u32 = tables[table - 1][place];
            tables[table][place] = (before >> 8) ^ tables[0][(before & 255) as usize];
            place += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn packed(text: &[u8]) -> Vec<u8> {
        pack(text)
    }

    fn refused(packed: &[u8], limit_bytes: usize) -> io::ErrorKind {
        unpack(packed, limit_bytes).unwrap_err().kind()
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn members_follow_one_another() {
        let two = [packed(b"first, and "), packed(b"second")].concat();
        assert_eq!(unpack(&two, 100).unwrap(), b"first, and second");
    }

    #[test]
    fn what_is_cut_off_changed_or_too_large_is_told() {
        let text = "a text that repeats itself, ".repeat(1000);
        let whole = packed(text.as_bytes());
        assert_eq!(unpack(&whole, text.len()).unwrap(), text.as_bytes());
        assert_eq!(refused(&whole, text.len() - 1), io::ErrorKind::FileTooLarge);
        for end in [whole.len() - 1, whole.len() / 2, 12, 5] {
            assert_eq!(
                refused(&whole[..end], text.len()),
                io::ErrorKind::UnexpectedEof,
                "{end}"
            );
        }
        let mut changed = whole.clone();
        let checksum_at = whole.len() - 8;
        changed[checksum_at] ^= 1;
        assert_eq!(refused(&changed, text.len()), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_bomb_is_stopped_before_it_fills_the_memory() {
        let bomb = packed(&vec![0; 70 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(refused(&bomb, usize::MAX), io::ErrorKind::FileTooLarge);
    }
}
