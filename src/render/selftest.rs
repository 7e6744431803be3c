//! The figures of a self-test, with what they mean.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use crate::{measure::selftest::Limit, session::SelfTest};

/// Each figure beside its limit, then what they mean for a measurement.
pub fn terminal_selftest(test: &SelfTest, limits: &[Limit]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["What perfgate itself does", "Measured", "Limit", ""]);
    for column in table.column_iter_mut().skip(1).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for limit in limits {
        let side = if limit.is_most { '≤' } else { '≥' };
        table.add_row([
            limit.what.to_owned(),
            reached(limit),
            format!("{side} {}", amount(limit.limit, limit.unit)),
            if limit.is_kept() { "ok" } else { "not kept" }.to_owned(),
        ]);
    }
    let mut page = format!("{}\n\n", table.trim_fmt());
    let _ = writeln!(page, "{}", meaning(test));
    let verdict = match limits.iter().find(|limit| !limit.is_kept()) {
        None => "ok: on this machine the server's time is what is measured",
        Some(_) => "not ok: on this machine, now, figures would be the client's as much as the server's",
    };
    let _ = writeln!(page, "{verdict}");
    page
}

fn meaning(test: &SelfTest) -> String {
    let cpu = test.added.cpu_s_per_million_tokens;
    let cpu = cpu.map_or_else(String::new, |cpu| format!("; {cpu:.1} s of CPU for a million tokens"));
    let rate = match test.max_rate_rps {
        rps if rps > 0.0 => format!("{rps:.0} req/s"),
        _ => "no rate that was tried".to_owned(),
    };
    format!(
        "Added: measured less the server's own time, at {} streams with TTFT 50 ms and TPOT 10 ms, the server beside it\n\
         (TPOT P99 {:.4} ms{cpu}). A real figure is at most this much too high.\n\
         Ceiling: {} streams at a time ({:.0} tokens/s) kept these limits, {rate} left on schedule; no more was tried\n\
         beyond the first level that did not.",
        test.streams, test.added.tpot_p99_ms, test.max_streams, test.tokens_per_s
    )
}

/// A ceiling of zero is no figure: the lowest level that was tried was already too much.
fn reached(limit: &Limit) -> String {
    let is_none = !limit.is_most && limit.value <= 0.0;
    if is_none {
        "none kept".to_owned()
    } else {
        amount(limit.value, limit.unit)
    }
}

fn amount(value: f64, unit: &str) -> String {
    match unit {
        "ms" => format!("{value:.3} ms"),
        "" => format!("{value:.0}"),
        unit => format!("{value:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measure::selftest::limits, session::Added};

    #[test]
    fn a_broken_limit_is_named_and_a_kept_one_is_ok() {
        let mut test = SelfTest {
            added: Added {
                ttft_p50_ms: 0.09,
                ttft_p99_ms: 0.4,
                tpot_p50_ms: 0.001,
                ..Added::default()
            },
            streams: 64,
            max_streams: 1024,
            tokens_per_s: 98_000.0,
            max_rate_rps: 4000.0,
            ..SelfTest::default()
        };
        let good = terminal_selftest(&test, &limits(&test));
        assert!(
            good.contains("0.090 ms") && good.ends_with("is what is measured\n"),
            "{good}"
        );
        assert!(!good.contains("not kept"), "{good}");
        test.max_rate_rps = 0.0;
        let bad = terminal_selftest(&test, &limits(&test));
        assert!(bad.contains("not kept") && bad.contains("not ok: "), "{bad}");
        assert!(bad.contains("none kept") && !bad.contains(" 0 req/s"), "{bad}");
    }
}
