//! Where the body of an HTTP/1 answer ends: by its length, by chunks, or with the connection. Knows no socket.
//!
//! Follows RFC 9112, sections 6.3 and 7.1; a bare line feed ends a line as well.

/// How much of an answer's body is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// This many bytes.
    Length(u64),
    /// Chunks up to one of length zero.
    Chunked(Chunks),
    /// Everything up to the end of the connection.
    UntilClose,
}

/// A body that is no chunked body, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadChunk(pub(super) &'static str);

impl Framing {
    /// Takes the next bytes of a connection, split anywhere, and hands each piece of the body to `each`.
    ///
    /// Gives the number of bytes that belong to this body: fewer than there are only once it is complete.
    ///
    /// # Errors
    /// The chunks are broken.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<usize, BadChunk> {
        match self {
            Self::Length(left) => {
                let piece = at_most(bytes, *left);
                *left -= piece.len() as u64;
                hand(piece, &mut each);
                Ok(piece.len())
            }
            Self::Chunked(chunks) => chunks.push(bytes, &mut each),
            Self::UntilClose => {
                hand(bytes, &mut each);
                Ok(bytes.len())
            }
        }
    }

    /// Whether the body is complete without the end of the connection.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.state == State::Complete,
            Self::UntilClose => false,
        }
    }
}

/// Reads `Transfer-Encoding: chunked`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    state: State,
    /// Bytes of extensions and trailers so far.
    idle_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a chunk's length.
    Size { size: u64, digits: u8 },
    /// Behind the digits, before the line feed.
    Extension { size: u64 },
    /// In a chunk.
    Data { left: u64 },
    /// Behind a chunk, before its line feed.
    DataEnd,
    /// In a line of the trailer.
    Trailer { is_empty: bool },
    /// Behind the last line.
    Complete,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

/// More than this in extensions and trailers is no honest answer.
const LIMIT_IDLE_BYTES: usize = 64 << 10;

impl Chunks {
    fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) -> Result<usize, BadChunk> {
        let mut rest = bytes;
        while let [first, behind @ ..] = rest {
            match self.state {
                State::Complete => break,
                State::Data { left } => {
                    let piece = at_most(rest, left);
                    rest = rest.get(piece.len()..).unwrap_or_default();
                    let left = left - piece.len() as u64;
                    self.state = if left == 0 {
                        State::DataEnd
                    } else {
                        State::Data { left }
                    };
                    hand(piece, each);
                }
                _ => {
                    self.state = self.step(*first)?;
                    rest = behind;
                }
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// What follows one byte outside of the data.
    fn step(&mut self, byte: u8) -> Result<State, BadChunk> {
        match self.state {
            State::Size { size, digits } => size_step(size, digits, byte),
            State::Extension { size } if byte == b'\n' => Ok(after_size(size)),
            State::DataEnd if byte == b'\n' => Ok(State::default()),
            State::DataEnd if byte == b'\r' => Ok(State::DataEnd),
            State::DataEnd => Err(BadChunk("a chunk is longer than its length")),
            State::Trailer { is_empty: true } if byte == b'\n' => Ok(State::Complete),
            State::Trailer { .. } if byte == b'\n' => Ok(State::Trailer { is_empty: true }),
            State::Trailer { is_empty } => self.idle(State::Trailer {
                is_empty: is_empty && byte == b'\r',
            }),
            state => self.idle(state),
        }
    }

    /// One more byte that says nothing.
    fn idle(&mut self, state: State) -> Result<State, BadChunk> {
        self.idle_bytes += 1;
        if self.idle_bytes > LIMIT_IDLE_BYTES {
            return Err(BadChunk("its extensions or trailers are longer than 64 KiB"));
        }
        Ok(state)
    }
}

fn size_step(size: u64, digits: u8, byte: u8) -> Result<State, BadChunk> {
    let value = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ if digits == 0 => return Err(BadChunk("a chunk has no length")),
        b'\n' => return Ok(after_size(size)),
        b'\r' | b';' | b' ' | b'\t' => return Ok(State::Extension { size }),
        _ => return Err(BadChunk("a chunk's length is no number")),
    };
    if digits == 15 {
        return Err(BadChunk("a chunk's length is beyond all measure"));
    }
    Ok(State::Size {
        size: size << 4 | u64::from(value),
        digits: digits + 1,
    })
}

fn after_size(size: u64) -> State {
    if size == 0 {
        State::Trailer { is_empty: true }
    } else {
        State::Data { left: size }
    }
}

fn at_most(bytes: &[u8], limit: u64) -> &[u8] {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    bytes.get(..limit).unwrap_or(bytes)
}

fn hand(piece: &[u8], each: &mut impl FnMut(&[u8])) {
    if !piece.is_empty() {
        each(piece);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Body, bytes that belong to it, and whether it is complete.
    fn read(mut framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), BadChunk> {
        let mut body = Vec::new();
        let mut used = 0;
        for piece in pieces {
            used += framing.push(piece, |bytes| body.extend_from_slice(bytes))?;
        }
        Ok((body, used, framing.is_complete()))
    }

    fn chunked() -> Framing {
        Framing::Chunked(Chunks::default())
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        for (framing, bytes, body, used, complete) in [
            (Framing::Length(3), "abcdef", "abc", 3, true),
            (Framing::Length(3), "ab", "ab", 2, false),
            (Framing::Length(0), "ab", "", 0, true),
            (Framing::UntilClose, "abc", "abc", 3, false),
            (chunked(), "3\r\nabc\r\n0\r\n\r\nrest", "abc", 13, true),
            (chunked(), "3\nabc\n0\n\n", "abc", 9, true),
            (
                chunked(),
                "3;a=b\r\nabc\r\n0;x\r\nT: 1\r\nU: 2\r\n\r\n",
                "abc",
                31,
                true,
            ),
            (chunked(), "00A \r\n0123456789\r\n", "0123456789", 18, false),
            (chunked(), "3\r\nabc\r\n0\r\n", "abc", 11, false),
        ] {
            let read = read(framing.clone(), &[bytes.as_bytes()]).unwrap();
            assert_eq!(
                read,
                (body.as_bytes().to_vec(), used, complete),
                "{framing:?} {bytes:?}"
            );
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        let endless = ["1;", &"x".repeat(LIMIT_IDLE_BYTES + 1)].concat();
        for bytes in [
            "\r\n",
            "x",
            "3\r\nabcd",
            "3x\r\n",
            "-1\r\n",
            "1000000000000000\r\n",
            &endless,
        ] {
            assert!(read(chunked(), &[bytes.as_bytes()]).is_err(), "{bytes:.20?}");
        }
    }

    proptest! {
        #[test]
        fn splits_do_not_matter(
            chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), "(;[a-z]{0,5})?"), 0..10),
            trailer in "(t: [a-z]{0,5}\r\n){0,2}",
            behind in prop::collection::vec(any::<u8>(), 0..5),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut stream = Vec::new();
            for (data, extension) in &chunks {
                stream.extend(format!("{:x}{extension}\r\n", data.len()).into_bytes());
                stream.extend(data);
                stream.extend(b"\r\n");
            }
            stream.extend(format!("0\r\n{trailer}\r\n").into_bytes());
            let length = stream.len();
            stream.extend(&behind);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            let body: Vec<u8> = chunks.iter().flat_map(|(data, _)| data.clone()).collect();
            prop_assert_eq!(read(chunked(), &pieces), Ok((body, length, true)));
        }

        #[test]
        fn any_bytes_are_read_without_trouble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(chunked(), &[&bytes]);
        }
    }
}
