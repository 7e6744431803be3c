//! JSON read where it stands: values as pieces of the text, which are looked into only when somebody asks.
//!
//! A trace is tens of megabytes of which a tenth is looked at; a parser that builds every value takes three times as long.

use std::borrow::Cow;

use memchr::memchr2;

/// A place in a text.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

/// The text is no JSON from this byte on; at its end, it was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// How many bytes stand before it.
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a text.
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// How far it has come.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next sign that is no blank.
    pub(super) fn peek(&mut self) -> Result<u8, Broken> {
        while let Some(sign) = self.text.get(self.at) {
            if !matches!(sign, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(*sign);
            }
            self.at += 1;
        }
        Err(self.broken())
    }

    /// Whether nothing but blanks is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    const fn broken(&self) -> Broken {
        Broken { at: self.at }
    }

    fn take(&mut self, sign: u8) -> Result<(), Broken> {
        if self.peek()? == sign {
            self.at += 1;
            return Ok(());
        }
        Err(self.broken())
    }

    /// Whether another member or element follows the one that was just read (or the opening sign).
    fn goes_on(&mut self, is_first: bool, close: u8) -> Result<bool, Broken> {
        let sign = self.peek()?;
        if sign == close {
            self.at += 1;
            return Ok(false);
        }
        if !is_first {
            self.take(b',')?;
        }
        Ok(true)
    }

    /// Each member of an object: its key without quotes; `member` reads the value.
    pub(super) fn object<E: From<Broken>>(
        &mut self,
        mut member: impl FnMut(&'a [u8], &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.take(b'{')?;
        let mut is_first = true;
        while self.goes_on(is_first, b'}')? {
            is_first = false;
            let key = self.string()?;
            self.take(b':')?;
            member(key, self)?;
        }
        Ok(())
    }

    /// Each element of a list, which `element` reads.
    pub(super) fn list<E: From<Broken>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.take(b'[')?;
        let mut is_first = true;
        while self.goes_on(is_first, b']')? {
            is_first = false;
            element(self)?;
        }
        Ok(())
    }

    /// A text between its quotes, escapes as they stand.
    pub(super) fn string(&mut self) -> Result<&'a [u8], Broken> {
        self.take(b'"')?;
        let began = self.at;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(found) = memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return Err(self.broken());
            };
            self.at += found;
            if rest.get(found) == Some(&b'"') {
                let text = self.text.get(began..self.at).unwrap_or_default();
                self.at += 1;
                return Ok(text);
            }
            self.at += 2;
        }
    }

    /// Any value as it stands; a text without its quotes.
    pub(super) fn value(&mut self) -> Result<&'a [u8], Broken> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => self.plain(),
        }
    }

    /// An object or a list, up to the sign that closes it.
    fn nested(&mut self) -> Result<&'a [u8], Broken> {
        let began = self.at;
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at) {
                None => return Err(self.broken()),
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(self.text.get(began..self.at).unwrap_or_default());
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn plain(&mut self) -> Result<&'a [u8], Broken> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |sign: &u8| sign.is_ascii_alphanumeric() || matches!(sign, b'+' | b'-' | b'.');
        let length = rest.iter().position(|sign| !is_part(sign)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.broken());
        }
        self.at += length;
        if self.at == self.text.len() {
            return Err(self.broken());
        }
        Ok(rest.get(..length).unwrap_or_default())
    }
}

/// A whole number; `None` for anything else.
pub(super) fn whole(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    value.iter().try_fold(0_u64, |all, sign| {
        sign.is_ascii_digit().then(|| all * 10 + u64::from(sign - b'0'))
    })
}

/// Decimal microseconds as whole nanoseconds, digit by digit: at 10¹² µs an `f64` is off by half a nanosecond already.
///
/// `None` for what is no number of at least zero.
pub(super) fn nanoseconds(microseconds: &[u8]) -> Option<u64> {
    let mut parts = microseconds.splitn(2, |sign| *sign == b'.');
    let before = whole(parts.next()?);
    let fraction = parts.next().unwrap_or_default();
    let (Some(before), true) = (before, fraction.iter().all(u8::is_ascii_digit)) else {
        return by_float(microseconds);
    };
    let digit = |place: usize| fraction.get(place).map_or(0, |sign| u64::from(sign - b'0'));
    let after = digit(0) * 100 + digit(1) * 10 + digit(2) + u64::from(digit(3) >= 5);
    before.checked_mul(1000)?.checked_add(after)
}

/// With an exponent, which no profiler writes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be within the range"
)]
fn by_float(microseconds: &[u8]) -> Option<u64> {
    let number: f64 = std::str::from_utf8(microseconds).ok()?.parse().ok()?;
    (0.0..1e16).contains(&number).then(|| (number * 1000.0).round() as u64)
}

/// A text as it was meant, escapes resolved.
pub(super) fn text(raw: &[u8]) -> Cow<'_, str> {
    if raw.contains(&b'\\') {
        let quoted = [b"\"", raw, b"\""].concat();
        if let Ok(text) = serde_json::from_slice::<String>(&quoted) {
            return Cow::Owned(text);
        }
    }
    String::from_utf8_lossy(raw)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn microseconds_are_read_to_the_nanosecond() {
        for (text, ns) in [
            ("4442773977238.418", Some(4_442_773_977_238_418)),
            ("5", Some(5000)),
            ("0.7", Some(700)),
            ("0.0005", Some(1)),
            ("0.00049", Some(0)),
            ("1e3", Some(1_000_000)),
            ("-1.5", None),
            ("null", None),
            ("", None),
            ("1.5x", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(nanoseconds(text.as_bytes()), ns, "{text}");
        }
    }

    #[test]
    fn a_value_is_skipped_with_all_that_is_in_it() {
        let json = br#" {"a": {"b": ["}", "\"]", 1]}, "c" : -1.5e3, "d":null} "#;
        let mut seen = Vec::new();
        let mut cursor = Cursor::new(json);
        cursor
            .object::<Broken>(|key, cursor| {
                let value = cursor.value()?;
                seen.push(format!("{}={}", text(key), text(value)));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [r#"a={"b": ["}", "\"]", 1]}"#, "c=-1.5e3", "d=null"]);
        assert!(cursor.is_at_end());
    }

    #[test]
    fn an_escaped_name_is_read_as_it_was_meant() {
        assert_eq!(text(br#"a\"b\u00b5\\"#), "a\"bµ\\");
    }

    fn skip(json: &[u8]) -> Result<usize, Broken> {
        let mut cursor = Cursor::new(json);
        cursor.value()?;
        Ok(cursor.at())
    }

    #[test]
    fn what_is_cut_off_breaks_at_its_end() {
        let json = br#"{"a": [1, {"b": "c\\"}]}"#;
        for end in 0..json.len() {
            assert_eq!(skip(&json[..end]), Err(Broken { at: end }), "{end}");
        }
        assert_eq!(skip(json), Ok(json.len()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut cursor = Cursor::new(&bytes);
            let _ = cursor.object::<Broken>(|_, cursor| cursor.value().map(|_| ()));
            let _ = skip(&bytes);
            let _ = nanoseconds(&bytes);
            let _ = text(&bytes);
        }
    }
}
