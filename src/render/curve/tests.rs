//! A ladder of three levels, as a table, as a chart and as a picture.

use super::*;

fn points() -> Vec<CurvePoint> {
    let point = |level: &str, tokens_per_s: f64, e2e: f64| CurvePoint {
        level: level.to_owned(),
        requests_per_s: Some(tokens_per_s / 10.0),
        tokens_per_s: Some(tokens_per_s),
        tpot_p50_ms: Some(1.0),
        from_send: Waits {
            ttft_p50_ms: Some(5.0),
            ttft_p95_ms: None,
            e2e_p50_ms: Some(e2e),
        },
        from_schedule: None,
    };
    vec![
        point("c=1", 100.0, 50.0),
        point("c=2", 190.0, 52.0),
        point("c<4>", 200.0, 100.0),
    ]
}

#[test]
fn the_last_level_of_a_saturated_ladder_stands_high_and_right() {
    let text = terminal_curve(&points(), 80);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains('│')).collect();
    assert_eq!(rows.len(), usize::from(CHART_ROWS));
    assert!(rows[0].starts_with("    100 ms │") && rows[0].ends_with('3'), "{text}");
    let row_of = |mark: char| {
        rows.iter()
            .position(|row| row.split('│').nth(1).unwrap().contains(mark))
            .unwrap()
    };
    assert!(row_of('1') >= row_of('2') && row_of('2') > row_of('3'), "{text}");
    assert!(text.contains("200 tokens/s") && text.contains('–'), "{text}");
}

#[test]
fn in_open_loop_waits_are_shown_from_the_send_and_from_the_schedule() {
    let mut open = points();
    for point in &mut open {
        point.from_schedule = Some(Waits {
            ttft_p50_ms: Some(77.0),
            ttft_p95_ms: Some(88.0),
            e2e_p50_ms: point.from_send.e2e_p50_ms.map(|ms| ms + 900.0),
        });
    }
    let text = terminal_curve(&open, 80);
    assert!(text.contains("from schedule") && !terminal_curve(&points(), 80).contains("from schedule"));
    let row = text.lines().find(|line| line.contains("c=1 ")).unwrap();
    let figures: Vec<&str> = row.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect();
    let waits = ["1.0 ms", "5.0 ms", "–", "50.0 ms", "77.0 ms", "88.0 ms", "950.0 ms"];
    assert_eq!(figures[figures.len() - 7..], waits, "{row}");
    assert!(text.contains("1000 ms │"), "the chart shows what users feel: {text}");
}

#[test]
fn a_lone_level_has_a_table_and_no_chart() {
    assert!(!terminal_curve(&points()[..1], 80).contains('│'));
    assert!(curve_svg(&[]).ends_with("</svg>\n"));
}

#[test]
fn the_picture_has_every_level_and_stays_harmless() {
    let svg = curve_svg(&points());
    assert_eq!(svg.matches("<circle").count(), 3);
    assert!(svg.contains("c&lt;4&gt;") && !svg.contains("NaN"), "{svg}");
    // The most of both stands in the corner of the plot.
    assert!(svg.contains("590.0,20.0"), "{svg}");
}

#[test]
fn a_level_of_conversations_is_called_so_as_its_cell_is() {
    let of = |name: &str| {
        let cell = CellFigures {
            name: name.to_owned(),
            load: crate::plan::Load::Rate {
                rate_rps: 8.0,
                arrivals: crate::plan::Arrivals::Poisson,
            },
            stage: None,
            runs: 1,
            metrics: std::collections::BTreeMap::new(),
        };
        point(&cell).level
    };
    assert_eq!(of("synthetic-5/3 × 2 turns @ 8 conversations/s"), "8 conversations/s");
    assert_eq!(of("synthetic-5/3 @ 8 req/s"), "8 req/s");
    assert_eq!(of("another tool's"), "8 req/s");
}
