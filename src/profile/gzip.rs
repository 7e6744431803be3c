//! Both ends of a gzip file, without holding what is between them.

use std::io::{self, Read};

use miniz_oxide::{
    DataFormat, MZError, MZFlush, MZStatus,
    inflate::stream::{InflateState, inflate},
};

/// A trace that unpacks to more is no trace.
const MAX_BYTES: u64 = 16 << 30;

const CHUNK: usize = 64 << 10;

/// Flags of the header: which parts follow it.
const CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Whether a file begins as gzip files do.
pub(super) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b, 8])
}

/// The first and the last bytes of what is packed.
///
/// # Errors
/// It is cut off (`UnexpectedEof`), broken, or unpacks to far more than a trace.
pub(super) fn ends(mut file: impl Read, head_bytes: usize, tail_bytes: usize) -> io::Result<(Vec<u8>, Vec<u8>)> {
    skip_header(&mut file)?;
    let mut state = InflateState::new_boxed(DataFormat::Raw);
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    let (mut packed, mut unpacked) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut begin, mut end, mut all) = (0, 0, 0_u64);
    loop {
        if begin == end {
            end = file.read(&mut packed)?;
            begin = 0;
            if end == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let input = packed.get(begin..end).unwrap_or_default();
        let step = inflate(&mut state, input, &mut unpacked, MZFlush::None);
        begin += step.bytes_consumed;
        let output = unpacked.get(..step.bytes_written).unwrap_or_default();
        all += output.len() as u64;
        let wanted = head_bytes.saturating_sub(head.len()).min(output.len());
        head.extend_from_slice(output.get(..wanted).unwrap_or_default());
        tail.extend_from_slice(output);
        let surplus = tail.len().saturating_sub(tail_bytes);
        tail.drain(..surplus);
        match step.status {
            Ok(MZStatus::StreamEnd) => return Ok((head, tail)),
            Ok(_) | Err(MZError::Buf) if all <= MAX_BYTES => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

pub(super) fn skip_header(file: &mut impl Read) -> io::Result<()> {
    let mut fixed = [0; 10];
    file.read_exact(&mut fixed)?;
    let [_, _, _, flags, ..] = fixed;
    if flags & EXTRA != 0 {
        let mut length = [0; 2];
        file.read_exact(&mut length)?;
        skip(file, u64::from(u16::from_le_bytes(length)))?;
    }
    for part in [NAME, COMMENT] {
        if flags & part != 0 {
            skip_text(file)?;
        }
    }
    if flags & CHECKSUM != 0 {
        skip(file, 2)?;
    }
    Ok(())
}

fn skip(file: &mut impl Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut file.take(bytes), &mut io::sink())?;
    if skipped < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn skip_text(file: &mut impl Read) -> io::Result<()> {
    let mut sign = [0; 1];
    loop {
        file.read_exact(&mut sign)?;
        if sign == [0] {
            return Ok(());
        }
    }
}
