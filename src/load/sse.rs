//! Bytes to events: an incremental reader of `text/event-stream`.
//!
//! Follows <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream> as far as model
//! servers use it: lines end with LF, CRLF or CR, comments and unknown fields are skipped, neighbouring `data` lines join
//! with a line feed.

/// More than this in one line or one event is no answer of a model.
const LIMIT_BYTES: usize = 4 << 20;

/// One event, borrowed until the next byte is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// The `event` field, empty where there is none.
    pub(super) name: &'a [u8],
    /// The `data` lines.
    pub(super) data: &'a [u8],
}

/// A line or an event beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Collects bytes into events; its buffers are kept from event to event.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    past_first_line: bool,
    /// The latest line ended with CR: a line feed right behind it belongs to it.
    after_cr: bool,
}

impl Reader {
    /// Reads the next piece of a stream, split anywhere; calls `each` for every event that it completes.
    ///
    /// # Errors
    /// A line or an event grew beyond 4 MiB.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Event<'_>)) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr)
                && let [b'\n', behind @ ..] = bytes
            {
                bytes = behind;
                continue;
            }
            if let Some((line, end, behind)) = end_of_line(bytes) {
                self.after_cr = end == b'\r';
                self.line_end(line, &mut each);
                bytes = behind;
            } else {
                self.line.extend_from_slice(bytes);
                bytes = &[];
            }
            if self.line.len().max(self.data.len()) > LIMIT_BYTES {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    /// The event that the end of the stream left without its closing empty line.
    ///
    /// The standard drops it; servers that end with `data: [DONE]` and one line feed mean it.
    pub(super) fn finish(&mut self, mut each: impl FnMut(Event<'_>)) {
        self.line_end(&[], &mut each);
        self.dispatch(&mut each);
    }

    /// A line ends; `rest` is what came of it last, most often the whole of it.
    fn line_end(&mut self, rest: &[u8], each: &mut impl FnMut(Event<'_>)) {
        if self.line.is_empty() {
            self.line(rest, each);
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(rest);
        self.line(&line, each);
        line.clear();
        self.line = line;
    }

    fn line(&mut self, mut text: &[u8], each: &mut impl FnMut(Event<'_>)) {
        if !self.past_first_line {
            self.past_first_line = true;
            text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        }
        if text.is_empty() {
            self.dispatch(each);
        } else {
            self.field(text);
        }
    }

    fn field(&mut self, line: &[u8]) {
        if let Some(value) = value_of(line, b"data") {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(value);
        } else if let Some(value) = value_of(line, b"event") {
            self.name.clear();
            self.name.extend_from_slice(value);
        }
    }

    fn dispatch(&mut self, each: &mut impl FnMut(Event<'_>)) {
        if self.has_data {
            each(Event {
                name: &self.name,
                data: &self.data,
            });
        }
        self.has_data = false;
        self.data.clear();
        self.name.clear();
    }
}

/// The first line of some bytes, the sign that ends it, and what is behind; `None` without an end.
fn end_of_line(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let at = memchr::memchr2(b'\n', b'\r', bytes)?;
    Some((bytes.get(..at)?, *bytes.get(at)?, bytes.get(at + 1..)?))
}

/// The value of a line with this field name; one space after the colon belongs to neither.
fn value_of<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(field)?;
    match rest.strip_prefix(b":") {
        Some(value) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        None => rest.is_empty().then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn read(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for piece in pieces {
            reader
                .push(piece, |event| events.push((text(event.name), text(event.data))))
                .unwrap();
        }
        events
    }

    fn data(stream: &str) -> Vec<String> {
        read(&[stream.as_bytes()]).into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn events_end_with_an_empty_line_whatever_the_line_end() {
        assert_eq!(
            data("data: a\n\ndata:b\r\n\r\ndata:c\r\rdata:d\r\n\r"),
            ["a", "b", "c", "d"]
        );
    }

    #[test]
    fn an_event_is_complete_with_its_cr_and_a_line_feed_behind_it_ends_no_other() {
        let pieces: [&[u8]; 4] = [b"data: a\r", b"\n\r", b"\ndata: b\r\r", b"\n\ndata: c\n\n"];
        let counts: Vec<usize> = (1..=pieces.len()).map(|upto| read(&pieces[..upto]).len()).collect();
        assert_eq!(counts, [0, 1, 2, 3]);
    }

    #[test]
    fn comments_other_fields_and_empty_events_are_skipped() {
        assert_eq!(data(": ping\n\nid: 3\nretry: 10\n\ndataset: x\n\ndata: a\n\n"), ["a"]);
    }

    #[test]
    fn data_lines_join_and_keep_their_inner_spaces() {
        assert_eq!(data("data:  a\ndata\ndata: b\n\n"), [" a\n\nb"]);
    }

    #[test]
    fn an_event_keeps_its_name_and_does_not_lend_it_to_the_next() {
        let events = read(&[b"event: error\ndata: x\n\ndata: y\n\n"]);
        assert_eq!(events, [("error".into(), "x".into()), (String::new(), "y".into())]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_start_only() {
        assert_eq!(data("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
    }

    #[test]
    fn the_end_of_the_stream_closes_an_open_event() {
        for stream in ["data: a", "data: a\n", "data: a\r\n"] {
            let mut reader = Reader::default();
            let mut events = Vec::new();
            reader
                .push(stream.as_bytes(), |event| events.push(text(event.data)))
                .unwrap();
            assert!(events.is_empty());
            reader.finish(|event| events.push(text(event.data)));
            assert_eq!(events, ["a"], "{stream:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_at_its_limit() {
        let mut reader = Reader::default();
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..4 {
            assert_eq!(reader.push(&piece, |_| {}), Ok(()));
        }
        assert_eq!(reader.push(&piece, |_| {}), Err(TooLong));
    }

    #[test]
    fn data_lines_without_end_are_refused_at_the_limit() {
        let mut reader = Reader::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; 1 << 20], b"\n"].concat();
        for _ in 0..3 {
            assert_eq!(reader.push(&line, |_| {}), Ok(()));
        }
        assert_eq!(reader.push(&line, |_| {}), Err(TooLong));
    }

    proptest! {
        #[test]
        fn splits_do_not_matter(
            lines in prop::collection::vec("(data: |data:|event: |: |id: )?[a-zé{}\":]{0,12}(\n|\r\n|\r|\n\n|\r\r)", 0..30),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let stream = lines.concat().into_bytes();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[&stream]));
        }

        #[test]
        fn any_bytes_are_read_without_trouble(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            read(&[&bytes]);
        }
    }
}
