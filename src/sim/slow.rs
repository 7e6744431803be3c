//! Planted changes: how much slower than its settings an engine is made to be.

use super::SimError;

/// Planted changes in percent; zero is none, positive is worse, negative is better.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slowdown {
    /// TTFT of a lone request grows by this much; TPOT does not move.
    pub ttft_pct: f64,
    /// Every gap between two tokens of a request grows by this much; the TTFT of a lone request does not move.
    pub tpot_pct: f64,
    /// Output tokens per second fall by this much: everything takes longer by `1 / (1 - throughput)`.
    pub throughput_pct: f64,
}

impl Slowdown {
    /// Factor on the time of a step in which sequences decode.
    pub(super) fn decode_ratio(&self) -> f64 {
        1.0 + self.tpot_pct / 100.0
    }

    /// Share of a lone request's TTFT that is added before the queue.
    pub(super) fn added_ttft_ratio(&self) -> f64 {
        self.ttft_pct / 100.0
    }

    /// Factor on every time.
    pub(super) fn overall_ratio(&self) -> f64 {
        1.0 / (1.0 - self.throughput_pct / 100.0)
    }

    pub(super) fn check(&self) -> Result<(), SimError> {
        let slower = -90.0..=1000.0;
        let parts = [
            ("ttft", self.ttft_pct, slower.clone()),
            ("tpot", self.tpot_pct, slower),
            ("throughput", self.throughput_pct, -900.0..=90.0),
        ];
        for (name, value, range) in parts {
            if !range.contains(&value) {
                let problem = format!("is outside {} % to {} %", range.start(), range.end());
                return Err(SimError::Slow {
                    part: format!("{name}={value}%"),
                    problem,
                });
            }
        }
        Ok(())
    }
}

/// Reads planted changes such as `tpot=12%` or `ttft=20%,tpot=-5%`; the percent sign may be left out.
///
/// # Errors
///
/// [`SimError::Slow`] with the part that is unknown, repeated, no number or out of range.
pub fn parse_slow(text: &str) -> Result<Slowdown, SimError> {
    let mut slow = Slowdown::default();
    let mut seen: Vec<&str> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let wrong = |problem: &str| SimError::Slow {
            part: part.to_owned(),
            problem: problem.to_owned(),
        };
        let (name, value) = part.split_once('=').ok_or_else(|| wrong("has no `=`"))?;
        let name = name.trim();
        let field = match name {
            "ttft" => &mut slow.ttft_pct,
            "tpot" => &mut slow.tpot_pct,
            "throughput" => &mut slow.throughput_pct,
            _ => return Err(wrong("is none of `ttft`, `tpot`, `throughput`")),
        };
        if seen.contains(&name) {
            return Err(wrong("is given twice"));
        }
        seen.push(name);
        let value = value.trim();
        let number = value.strip_suffix('%').unwrap_or(value).trim_end();
        *field = number.parse().map_err(|_| wrong("has no number"))?;
    }
    slow.check()?;
    Ok(slow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(ttft_pct: f64, tpot_pct: f64, throughput_pct: f64) -> Slowdown {
        Slowdown {
            ttft_pct,
            tpot_pct,
            throughput_pct,
        }
    }

    #[test]
    fn planted_changes_are_read() {
        let cases = [
            ("tpot=8%", slow(0.0, 8.0, 0.0)),
            ("ttft=20%", slow(20.0, 0.0, 0.0)),
            ("tpot=12%,ttft=5%", slow(5.0, 12.0, 0.0)),
            (" ttft = 2.5 , tpot = -3 % ", slow(2.5, -3.0, 0.0)),
            ("throughput=10%", slow(0.0, 0.0, 10.0)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_slow(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_wrong_part_is_named() {
        let cases = [
            ("", "`` has no `=`"),
            ("tpot", "`tpot` has no `=`"),
            ("tpot=8%,", "`` has no `=`"),
            ("itl=8%", "`itl=8%` is none of"),
            ("tpot=fast", "`tpot=fast` has no number"),
            ("tpot=", "`tpot=` has no number"),
            ("tpot=1%,tpot=2%", "`tpot=2%` is given twice"),
            ("tpot=NaN", "`tpot=NaN%` is outside"),
            ("tpot=inf", "`tpot=inf%` is outside"),
            ("ttft=-91%", "`ttft=-91%` is outside -90 % to 1000 %"),
            ("throughput=91%", "`throughput=91%` is outside"),
        ];
        for (text, expected) in cases {
            let message = parse_slow(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn the_edges_of_the_range_are_in_it() {
        assert!(parse_slow("ttft=-90%,tpot=1000%,throughput=90%").is_ok());
    }
}
