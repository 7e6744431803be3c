//! A submission to `MLPerf` for a terminal: its systems, their results, and a session of one's own beside them.

use std::fmt::Write as _;

use super::{
    Screen,
    escape::on_screen,
    format::{self, SPACE},
    grid::Grid,
};
use crate::metric::{Metric, Percentile};

/// One system with its results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubmittedSystem {
    /// Who submitted, in which division.
    pub title: String,
    /// `(what, value)` pairs, in reading order.
    pub facts: Vec<(String, String)>,
    /// Its results.
    pub results: Vec<SubmittedResult>,
}

/// One result of a system.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubmittedResult {
    /// Benchmark and scenario.
    pub name: String,
    /// What `LoadGen` calls it.
    pub is_valid: bool,
    /// Output tokens per second; `None` where the log states none.
    pub tokens_per_s: Option<f64>,
    /// The same for one accelerator.
    pub per_accelerator: Option<f64>,
    /// P99 of TTFT, with its limit, in milliseconds.
    pub ttft: Option<(f64, Option<f64>)>,
    /// P99 of TPOT, with its limit, in milliseconds.
    pub tpot: Option<(f64, Option<f64>)>,
    /// The session under the same limits; the error says why there is nothing to say.
    pub session: Option<Result<Beside, String>>,
}

/// A session under the limits of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// The cell with the highest throughput that keeps them.
    pub cell: String,
    /// Its output tokens per second.
    pub tokens_per_s: f64,
    /// The same for one GPU; `None` where nobody knows how many there are.
    pub per_gpu: Option<f64>,
}

/// One block a system; below, what the reader should know, a line each.
pub fn terminal_submission(systems: &[SubmittedSystem], told: &[String], screen: Screen) -> String {
    let mut text = String::new();
    for system in systems {
        let _ = writeln!(text, "{}", bold(&on_screen(&system.title), screen.color));
        for (what, value) in &system.facts {
            let _ = writeln!(text, "  {what}: {}", on_screen(value));
        }
        let _ = writeln!(text, "\n{}\n", table(&system.results).text_within(screen.width));
        for result in &system.results {
            if let Some(session) = &result.session {
                let _ = writeln!(text, "  {}: {}", on_screen(&result.name), beside(result, session));
            }
        }
        if system.results.iter().any(|result| result.session.is_some()) {
            text.push('\n');
        }
    }
    for line in told {
        let _ = writeln!(text, "{}", on_screen(line));
    }
    text.replace(SPACE, " ")
}

fn bold(text: &str, color: bool) -> String {
    if color {
        format!("\u{1b}[1m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

fn table(results: &[SubmittedResult]) -> Grid {
    let of = |cell: &dyn Fn(&SubmittedResult) -> String| results.iter().map(cell).collect::<Vec<_>>();
    let word = |result: &SubmittedResult| if result.is_valid { "VALID" } else { "INVALID" }.to_owned();
    Grid::default()
        .names("Benchmark, scenario", of(&|result| on_screen(&result.name)))
        .names("LoadGen says", of(&word))
        .numbers("Throughput", of(&|result| tokens(result.tokens_per_s)))
        .numbers("Per accelerator", of(&|result| tokens(result.per_accelerator)))
        .numbers(
            "TTFT P99",
            of(&|result| latency(Metric::Ttft(Percentile::P99), result.ttft)),
        )
        .numbers(
            "TPOT P99",
            of(&|result| latency(Metric::Tpot(Percentile::P99), result.tpot)),
        )
}

fn tokens(value: Option<f64>) -> String {
    value.map_or_else(
        || "–".to_owned(),
        |value| format::figure(Metric::OutputTokensPerS, value),
    )
}

/// A latency, with the share of its limit that it takes up.
fn latency(metric: Metric, found: Option<(f64, Option<f64>)>) -> String {
    let Some((value, limit)) = found else {
        return "–".to_owned();
    };
    let share = limit.map_or_else(String::new, |limit| {
        format!(
            " ({} of {})",
            format::size(value / limit),
            format::figure(metric, limit)
        )
    });
    format!("{}{share}", format::figure(metric, value))
}

fn beside(result: &SubmittedResult, session: &Result<Beside, String>) -> String {
    let own = match session {
        Ok(own) => own,
        Err(why) => return format!("the session has no figure: {}", on_screen(why)),
    };
    let per_gpu = own.per_gpu.map_or_else(
        || ", of an unknown number of GPUs (give `--gpus`)".to_owned(),
        |value| format!(", {} per GPU", format::figure(Metric::OutputTokensPerS, value)),
    );
    let share = own.per_gpu.zip(result.per_accelerator.filter(|value| *value > 0.0));
    let share = share.map_or_else(String::new, |(own, theirs)| {
        format!(", {} of the submission's per accelerator", format::size(own / theirs))
    });
    format!(
        "the session has {} at `{}`{per_gpu}{share}",
        format::figure(Metric::OutputTokensPerS, own.tokens_per_s),
        on_screen(&own.cell)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> SubmittedResult {
        SubmittedResult {
            name: "llama2-70b-99 Server".into(),
            is_valid: true,
            tokens_per_s: Some(24_594.0),
            per_accelerator: Some(3074.0),
            ttft: Some((1914.6, Some(2000.0))),
            tpot: Some((193.4, Some(200.0))),
            session: Some(Ok(Beside {
                cell: "synthetic-512/128 @ 8 req/s".into(),
                tokens_per_s: 12_296.0,
                per_gpu: Some(1537.0),
            })),
        }
    }

    fn shown(result: SubmittedResult) -> String {
        let system = SubmittedSystem {
            title: "AMD\u{1b}[31m, closed".into(),
            facts: vec![("Accelerators".into(), "8 × MI300X".into())],
            results: vec![result],
        };
        terminal_submission(&[system], &["no MLPerf result".into()], Screen::default())
    }

    #[test]
    fn a_result_stands_beside_the_session_per_accelerator() {
        let text = shown(result());
        for part in [
            "8 × MI300X",
            "VALID",
            "24\u{202f}594 tokens/s",
            "3074 tokens/s",
            "1.91 s (95.7 % of 2.00 s)",
            "(96.7 % of 200.0 ms)",
            "12\u{202f}296 tokens/s at `synthetic-512/128 @ 8 req/s`, 1537 tokens/s per GPU, 50.0 % of the submission's",
            "no MLPerf result",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains('\u{1b}'), "names from outside are harmless: {text}");
    }

    #[test]
    fn what_is_not_known_is_told() {
        let bare = SubmittedResult {
            session: Some(Err("no cell keeps the limits".into())),
            ..SubmittedResult::default()
        };
        let text = shown(bare);
        assert!(text.contains("INVALID") && text.contains('–'), "{text}");
        assert!(
            text.contains("the session has no figure: no cell keeps the limits"),
            "{text}"
        );
        let uncounted = SubmittedResult {
            session: result()
                .session
                .map(|own| own.map(|own| Beside { per_gpu: None, ..own })),
            ..result()
        };
        assert!(shown(uncounted).contains("(give `--gpus`)"));
    }
}
