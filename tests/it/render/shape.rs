//! What holds of every page: its elements are closed, every byte of a value is escaped, and each mark of a chart stands inside
//! its picture.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

/// Elements that have no end.
const VOID: [&str; 1] = ["meta"];

/// Fails on the first thing that is not as it should be; `page` has neither our style nor our script.
#[track_caller]
pub(super) fn assert_sound(name: &str, page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut frame = None;
    let mut rest = page.strip_prefix("<!doctype html>").unwrap();
    while let Some((text, from)) = rest.split_once('<') {
        assert_text(name, text);
        let (tag, after) = from.split_once('>').unwrap();
        rest = after;
        if let Some(end) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(end), "{name}: `</{end}>` ends another element");
            continue;
        }
        let word = tag.split([' ', '/', '\n']).next().unwrap();
        let attributes = attributes(name, &tag[word.len()..]);
        if word == "svg" {
            let sides: Vec<f64> = numbers(value(&attributes, "viewBox").unwrap());
            frame = Some((sides[2], sides[3]));
        }
        if let Some(frame) = frame.filter(|_| open.contains(&"svg") || word == "svg") {
            assert_inside(name, tag, &attributes, frame);
        }
        if !tag.ends_with('/') && !VOID.contains(&word) {
            open.push(word);
        }
    }
    assert_text(name, rest);
    assert!(open.is_empty(), "{name}: never closed: {open:?}");
}

/// Each `&` begins an entity, and there is no sign that hides or turns others.
#[track_caller]
fn assert_text(name: &str, text: &str) {
    assert!(!text.contains(['>', '<']), "{name}: {text:?}");
    for (at, _) in text.match_indices('&') {
        let entity = text[at + 1..].split_once(';').map_or("", |(entity, _)| entity);
        let is_known = matches!(entity, "lt" | "gt" | "amp" | "quot") || entity.starts_with('#');
        assert!(
            is_known,
            "{name}: a bare `&` in {:?}",
            &text[at..text.len().min(at + 40)]
        );
    }
    let hidden = |sign: char| {
        (sign.is_control() && sign != '\n') || matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(hidden), "{name}: {text:?}");
}

/// Names and values; a value stands between quotes, and no quote is in it.
#[track_caller]
fn attributes<'a>(name: &str, tag: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    let mut rest = tag.trim_end_matches('/').trim();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let is_name = key.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
        assert!(is_name && !key.is_empty(), "{name}: `{key}` in {tag:?}");
        if let Some(quoted) = after.strip_prefix("=\"") {
            let (value, after) = quoted.split_once('"').unwrap();
            assert_text(name, value);
            found.push((key, value));
            rest = after.trim_start();
        } else {
            rest = after.trim_start();
        }
    }
    found
}

fn value<'a>(attributes: &[(&str, &'a str)], key: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| *value)
}

#[track_caller]
fn assert_inside(name: &str, tag: &str, attributes: &[(&str, &str)], (width, height): (f64, f64)) {
    let inside = |number: f64, most: f64| (-0.05..=most + 0.05).contains(&number);
    // What is moved stands around its own zero.
    let is_moved = value(attributes, "transform").is_some();
    for (key, text) in attributes {
        let (rights, downs): (Vec<f64>, Vec<f64>) = match *key {
            "x" | "x1" | "x2" | "cx" | "width" if !is_moved && !tag.starts_with("svg") => (numbers(text), Vec::new()),
            "y" | "y1" | "y2" | "cy" | "height" if !is_moved && !tag.starts_with("svg") => (Vec::new(), numbers(text)),
            "points" => numbers(text).chunks(2).map(|point| (point[0], point[1])).unzip(),
            "transform" => numbers(text)
                .chunks(2)
                .take(1)
                .map(|point| (point[0], point[1]))
                .unzip(),
            "d" => path(text).into_iter().unzip(),
            _ => continue,
        };
        let holds =
            rights.iter().all(|number| inside(*number, width)) && downs.iter().all(|number| inside(*number, height));
        assert!(
            holds,
            "{name}: outside {width} × {height}: {}",
            &tag[..tag.len().min(400)]
        );
    }
}

/// The numbers in a text; each must be one.
fn numbers(text: &str) -> Vec<f64> {
    let mut found: Vec<String> = Vec::new();
    let mut is_open = false;
    for sign in text.chars() {
        match sign {
            '.' if is_open && !found.last().unwrap().contains('.') => found.last_mut().unwrap().push('.'),
            '0'..='9' if is_open => found.last_mut().unwrap().push(sign),
            '-' | '.' | '0'..='9' => {
                found.push(sign.to_string());
                is_open = true;
            }
            _ => is_open = false,
        }
    }
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    found.iter().map(|number| number.parse().unwrap()).collect()
}

/// The corners of a path of `M`, `L`, `H`, `V`, their small ones, and `Z`.
fn path(text: &str) -> Vec<(f64, f64)> {
    let (mut x, mut y) = (0.0, 0.0);
    let mut corners = Vec::new();
    let mut rest = text;
    while let Some(way) = rest.chars().next() {
        let end = rest[1..]
            .find(|sign: char| sign.is_ascii_alphabetic())
            .map_or(rest.len(), |at| at + 1);
        let given = numbers(&rest[1..end]);
        rest = &rest[end..];
        match way {
            'H' => x = given[0],
            'V' => y = given[0],
            'h' => x += given[0],
            'v' => y += given[0],
            'M' | 'L' => given.chunks(2).for_each(|point| (x, y) = (point[0], point[1])),
            'l' => {
                for point in given.chunks(2) {
                    (x, y) = (x + point[0], y + point[1]);
                    corners.push((x, y));
                }
            }
            'z' | 'Z' => {}
            other => unreachable!("`{other}` in a path: {text}"),
        }
        corners.push((x, y));
    }
    corners
}

#[test]
fn the_oracle_sees_what_is_not_sound() {
    let sound = "<!doctype html>\n<p title=\"a &amp; b\">x</p><svg viewBox=\"0 0 9 9\"><path d=\"M1 1h2.5v-.5l1 1-1-1z\"/></svg>";
    assert_sound("sound", sound);
    for (whole, broken) in [
        ("x</p>", "x"),
        ("&amp;", "&"),
        (">x<", ">\u{202e}<"),
        ("h2.5", "h20"),
        ("v-.5", "v-5"),
        ("M1 1", "MNaN 1"),
        ("title=\"a", "title=\"a\" onload=x\""),
        ("x</p>", "<b>x</p></b>"),
    ] {
        let page = sound.replace(whole, broken);
        let found = std::panic::catch_unwind(|| assert_sound("broken", &page));
        assert!(found.is_err(), "{page}");
    }
}
