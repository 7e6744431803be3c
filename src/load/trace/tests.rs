//! Traces of every format, and lines that are none.

use std::io::Write as _;

use super::*;

fn file(lines: &[&str]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.join("\n").as_bytes()).unwrap();
    file
}

fn read_most(lines: &[&str], format: TraceFormat, most: usize) -> Result<Trace, LoadError> {
    read(file(lines).path(), format, Api::Chat, most)
}

fn trace(lines: &[&str]) -> Trace {
    read_most(lines, TraceFormat::Auto, 100).unwrap()
}

fn lengths(trace: &Trace) -> Vec<(i64, u32, Option<u32>)> {
    let tokens = |asked: &Asked| match asked {
        Asked::Tokens(tokens) | Asked::Blocks { tokens, .. } => *tokens,
        Asked::Prompt(_) => 0,
    };
    let rows = trace.rows.iter();
    rows.map(|row| (row.at_ns / 1_000_000, tokens(&row.asked), row.output_tokens))
        .collect()
}

const AZURE: [&str; 3] = [
    "TIMESTAMP,ContextTokens,GeneratedTokens",
    "2023-11-16 18:15:46.6805900,374,44",
    "2023-11-16 18:15:50.9951690,396,109",
];

#[test]
fn each_format_is_known_by_its_content() {
    let azure = trace(&AZURE);
    assert_eq!(lengths(&azure), [(0, 374, Some(44)), (4314, 396, Some(109))]);
    let burst = trace(&[
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
        "5,ChatGPT,472,18,490,Conversation log",
        "45.5,GPT-4,1087,230,1317,\"API, log\"",
    ]);
    assert_eq!(lengths(&burst), [(0, 472, Some(18)), (40_500, 1087, Some(230))]);
    let mooncake = trace(&[
        r#"{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 2353, 2354]}"#,
        r#"{"timestamp": 30535, "input_length": 600, "output_length": 26, "hash_ids": [46, 2366]}"#,
    ]);
    assert_eq!(lengths(&mooncake), [(0, 6955, Some(52)), (3053, 600, Some(26))]);
    let plain = trace(&[
        r#"{"timestamp_s": 1.5, "prompt": "hi", "output_tokens": 3}"#,
        r#"{"timestamp": 2000, "input_tokens": 9}"#,
    ]);
    assert_eq!(lengths(&plain), [(0, 0, Some(3)), (500, 9, None)]);
    assert_eq!(plain.rows[0].asked, Asked::Prompt(Prompt::Text("hi".into())));
}

#[test]
fn equal_blocks_keep_equal_numbers_which_begin_at_zero() {
    let trace = trace(&[
        r#"{"timestamp": 0, "input_length": 600, "output_length": 1, "hash_ids": [18446744073709551615, 7]}"#,
        r#"{"timestamp": 1, "input_length": 1000, "output_length": 1, "hash_ids": [18446744073709551615, 9]}"#,
    ]);
    let ids: Vec<&[u64]> = trace
        .rows
        .iter()
        .filter_map(|row| match &row.asked {
            Asked::Blocks { ids, .. } => Some(&**ids),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [[0, 1], [0, 2]]);
}

#[test]
fn rows_out_of_order_are_sorted_and_only_the_earliest_are_kept() {
    let row = |ms: u32| {
        format!(
            r#"{{"timestamp": {ms}, "input_length": {}, "output_length": 1}}"#,
            ms + 1
        )
    };
    // More than the reader holds at a time, in falling order.
    let rows: Vec<String> = (0..5000).rev().map(row).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let trace = read_most(&rows, TraceFormat::Auto, 3).unwrap();
    assert_eq!(lengths(&trace), [(0, 1, Some(1)), (1, 2, Some(1)), (2, 3, Some(1))]);
    assert_eq!((trace.census.rows, trace.census.out_of_order), (5000, 4999));
    let notes = trace.notes().join("\n");
    assert!(
        notes.contains("uses the first 3") && notes.contains("sorted by time"),
        "{notes}"
    );
}

#[test]
fn rows_without_an_answer_are_left_out_and_counted() {
    let trace = trace(&[
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
        "5,ChatGPT,472,0,472,Conversation log",
        "7,ChatGPT,10,2,12,Conversation log",
    ]);
    assert_eq!(lengths(&trace), [(0, 10, Some(2))]);
    assert!(
        trace
            .notes()
            .join("\n")
            .contains("1 row of the trace without an answer: left out")
    );
}

#[test]
fn the_bytes_are_hashed_and_a_mark_and_line_ends_do_not_matter() {
    let trace = trace(&[
        "\u{feff}TIMESTAMP,ContextTokens,GeneratedTokens\r",
        "",
        "2023-11-16 18:15:46,3,4\r",
    ]);
    assert_eq!(lengths(&trace), [(0, 3, Some(4))]);
    let sha256 = trace.sha256;
    assert_eq!(sha256.len(), 64);
    assert_ne!(sha256, self::trace(&AZURE).sha256);
}

#[test]
fn a_line_that_is_no_row_is_named_with_what_to_give() {
    use TraceFormat::{Auto, AzureLlm, BurstGpt, Mooncake};
    let cases: [(&[&str], TraceFormat, &str); 15] = [
        (&["a,b,c"], Auto, "line 1: this is no trace that perfgate knows"),
        (&["a,b,c"], AzureLlm, "no column `TIMESTAMP`"),
        (
            &["TIMESTAMP,ContextTokens,GeneratedTokens,ContextTokens"],
            Auto,
            "names two columns `ContextTokens`",
        ),
        (&[AZURE[0]], BurstGpt, "no column `Request tokens`"),
        (&[AZURE[0], AZURE[1], "x,1,2"], Auto, "line 3: `TIMESTAMP` is `x`"),
        (
            &[AZURE[0], "2023-11-16 18:15:46,1"],
            Auto,
            "no `GeneratedTokens`: only 2 fields",
        ),
        (
            &[AZURE[0], "2023-11-16 18:15:46,many,1"],
            Auto,
            "`ContextTokens` is `many`",
        ),
        (&[AZURE[0], "2023-11-16 18:15:46,0,1"], Auto, "at least 1"),
        (&[r#"{"timestamp": 1}"#], Auto, "nothing to send"),
        (&[r#"{"prompt": "a"}"#], Auto, "no time"),
        (&[r#"{"timestamp": -5, "input_length": 3}"#], Auto, "out of range"),
        (
            &[r#"{"timestamp": 1, "input_length": 3}"#],
            Mooncake,
            "a Mooncake trace has",
        ),
        (
            &[r#"{"timestamp": 1, "input_length": 1025, "output_length": 1, "hash_ids": [1]}"#],
            Auto,
            "1 `hash_ids` for `input_length` 1025",
        ),
        (
            &[r#"{"timestamp": "soon", "input_length": 1}"#],
            Auto,
            "`timestamp` is `soon`; give a date",
        ),
        (
            &[
                r#"{"timestamp": "2024-05-10T00:00:00Z", "input_length": 1}"#,
                r#"{"timestamp": 5, "input_length": 1}"#,
            ],
            Auto,
            "line 2: `timestamp` is 5; give a date",
        ),
    ];
    for (lines, format, expected) in cases {
        let error = read_most(lines, format, 10).unwrap_err().to_string();
        assert!(error.contains(expected), "{lines:?}: {error}");
    }
    let empty = read_most(&[AZURE[0]], Auto, 10).unwrap_err().to_string();
    assert!(empty.contains("holds no request"), "{empty}");
}

#[test]
fn messages_are_for_chat() {
    let line = r#"{"timestamp": 1, "messages": [{"role": "user", "content": "hi"}]}"#;
    let read = |api| read(file(&[line]).path(), TraceFormat::Auto, api, 1);
    let trace = read(Api::Chat).unwrap();
    assert!(matches!(&trace.rows[0].asked, Asked::Prompt(Prompt::Messages(json)) if json.contains("hi")));
    assert!(
        read(Api::Completions)
            .unwrap_err()
            .to_string()
            .contains("completions API")
    );
}

#[test]
fn a_timestamp_may_count_seconds_or_be_a_date_and_that_is_told() {
    let rows = |first: &str, second: &str| {
        let row = |at| format!(r#"{{"timestamp": {at}, "input_length": 3, "output_length": 1}}"#);
        trace(&[&row(first), &row(second)])
    };
    for (first, second, told) in [
        ("1700000000", "1700000001.5", "counts seconds"),
        ("1700000000000000", "1700000001500000", "counts microseconds"),
        ("1700000000000", "1700000001500", ""),
        ("5", "1505", ""),
        (r#""2024-05-10T00:00:00Z""#, r#""2024-05-10 00:00:01.5""#, ""),
    ] {
        let trace = rows(first, second);
        assert_eq!(lengths(&trace)[1].0, 1500, "{first}");
        let notes = trace.notes().concat();
        assert_eq!(notes.contains("counts "), !told.is_empty(), "{notes}");
        assert!(notes.contains(told), "{notes}");
    }
}

#[test]
fn one_block_more_or_fewer_is_told_and_sent() {
    let trace = trace(&[
        r#"{"timestamp": 0, "input_length": 513, "output_length": 1, "hash_ids": [7]}"#,
        r#"{"timestamp": 1, "input_length": 512, "output_length": 1, "hash_ids": [7, 8]}"#,
        r#"{"timestamp": 2, "input_length": 512, "output_length": 1, "hash_ids": [7]}"#,
    ]);
    let ids = |row: &Row| match &row.asked {
        Asked::Blocks { ids, .. } => ids.len(),
        _ => 0,
    };
    assert_eq!(trace.rows.iter().map(ids).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(trace.census.uneven, 2);
    assert!(
        trace
            .notes()
            .concat()
            .contains("2 rows of the trace with one of `hash_ids`")
    );
}
