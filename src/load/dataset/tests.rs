//! Datasets read from files of every form.

use super::*;

fn read_text(text: &str, name: &str, wanted: u64) -> Result<Dataset, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    read(&Source {
        path: &path,
        api: Api::Chat,
        format: DatasetFormat::Auto,
        prompt_column: None,
        output_column: None,
        count: &|text| u32::try_from(text.split(' ').count()).unwrap(),
        seed: 42,
        wanted,
    })
}

fn numbered(count: u32) -> String {
    let row = |row: u32| format!("{{\"prompt\": \"row {row}\", \"output_tokens\": {}}}\n", row + 1);
    (0..count).map(row).collect::<Vec<_>>().concat()
}

fn order(rows: &Rows) -> Vec<u32> {
    (0..rows.count())
        .filter_map(|place| rows.at(place).first.output_tokens)
        .collect()
}

#[test]
fn a_shuffle_keeps_every_row_once() {
    let shuffled = |seed| {
        let mut items: Vec<u32> = (0..1000).collect();
        shuffle(&mut items, seed);
        items
    };
    let mut items = shuffled(42);
    assert_ne!(items, shuffled(43));
    assert_eq!(items, shuffled(42));
    items.sort_unstable();
    assert_eq!(items, (0..1000).collect::<Vec<_>>());
}

#[test]
fn only_the_rows_that_are_sent_are_held_and_they_are_the_first_of_the_order() {
    let all = read_text(&numbered(100), "a.jsonl", 100).unwrap().rows;
    let few = read_text(&numbered(100), "a.jsonl", 7).unwrap().rows;
    assert_eq!((few.count(), few.others.len()), (100, 6));
    assert_eq!(order(&few).get(..7), order(&all).get(..7));
}

#[test]
fn tables_that_cannot_be_read_say_what_they_lack() {
    for (text, name, expected) in [
        (
            "prompt\tn\nhi\t3\n",
            "a.tsv",
            "line 1: the columns are separated by tabs",
        ),
        (
            "prompt\tn\nhi\t3\n",
            "a.csv",
            "line 1: the columns are separated by tabs",
        ),
        ("prompt,n\n", "a.csv", "line 1: a header and no row below it"),
        (
            "prompt,n,prompt\na,1,b\n",
            "a.csv",
            "line 1: two columns are named `prompt`",
        ),
    ] {
        let error = read_text(text, name, 5).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn no_place_is_without_a_row_and_no_rows_are_no_dataset() {
    assert!(matches!(
        read_text("\n\n", "a.jsonl", 5),
        Err(LoadError::DatasetEmpty { .. })
    ));
    let rows = read_text(&numbered(3), "a.jsonl", 10).unwrap().rows;
    let drawn: Vec<_> = [3, 4, 5, 6].map(|place| rows.at(place).first.output_tokens).into();
    assert_eq!(drawn, [0, 1, 2, 0].map(|place| rows.at(place).first.output_tokens));
    let one = read_text(&numbered(3), "a.jsonl", 1).unwrap().rows;
    assert_eq!(one.at(u64::MAX).first.output_tokens, one.at(0).first.output_tokens);
}

#[test]
fn the_form_of_a_file_is_seen_in_its_first_line() {
    let prompts = |text: &str, name: &str| {
        let rows = read_text(text, name, 9).unwrap().rows;
        let mut prompts: Vec<Prompt> = (0..rows.count())
            .map(|place| rows.at(place).first.prompt.clone())
            .collect();
        prompts.sort_by_key(|prompt| format!("{prompt:?}"));
        prompts
    };
    let expected = ["a", "b"].map(|text| Prompt::Text(text.into()));
    for (name, text) in [
        ("x", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}"),
        ("x", "\u{feff}{\"prompt\": \"a\"}\r\n{\"prompt\": \"b\"}\r\n"),
        ("x", "\n[{\"prompt\": \"a\"},\n {\"prompt\": \"b\"}]\n"),
        ("x.csv", "\u{feff}id,prompt\n1,a\n2,\"b\"\n"),
        ("x.txt", "article,highlights\na,s\nb,s\n"),
    ] {
        assert_eq!(prompts(text, name), expected, "{name}: {text}");
    }
}

#[test]
fn a_bad_row_is_named_by_file_and_line_in_every_form() {
    for (name, text, line) in [
        (
            "bad.jsonl",
            "{\"prompt\": \"a\"}\n\n{\"text\": \"b\"}\n",
            "line 3: neither",
        ),
        (
            "bad.json",
            "[{\"prompt\": \"a\"},\n\n{\"prompt\": 3}]",
            "line 3: `prompt` is neither",
        ),
        (
            "bad.csv",
            "prompt,n\na,1\n\"b\n\",2,3\n",
            "line 3: 3 values under 2 columns",
        ),
    ] {
        let problem = read_text(text, name, 9).err().unwrap().to_string();
        assert!(problem.contains(name) && problem.contains(line), "{problem}");
    }
    let LoadError::DatasetUnreadable { source, .. } = read_text("[{\"prompt\": \"a\"},", "x", 9).err().unwrap() else {
        panic!("another error")
    };
    assert!(source.to_string().contains("ends inside"), "{source}");
}

#[test]
fn conversations_without_a_question_are_counted_and_left_out() {
    let text = r#"[{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b c"}]},
        {"conversations": []}]"#;
    let dataset = read_text(text, "sharegpt.json", 9).unwrap();
    assert_eq!((dataset.rows.count(), dataset.census.silent), (1, 1));
    assert_eq!(dataset.rows.at(0).first.output_tokens, Some(2));
}
