//! Holds the house: floors, cycles, outside crates, file lengths.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every top-level module with its floor.
const FLOORS: &[(&str, u8)] = &[
    ("metric", 0),
    ("plan", 1),
    ("session", 1),
    ("stats", 3),
    ("measure", 3),
    ("capacity", 3),
    ("compare", 3),
    ("verdict", 3),
    ("obligation", 3),
    ("bisect", 3),
    ("report", 3),
    ("history", 3),
    ("noise", 3),
    ("op_table", 3),
    ("process", 4),
    ("config", 4),
    ("load", 4),
    ("target", 4),
    ("telemetry", 4),
    ("store", 4),
    ("git", 4),
    ("github", 4),
    ("profile", 4),
    ("import", 4),
    ("render", 4),
    ("sim", 4),
    ("commands", 5),
    ("cli", 6),
    ("main", 7),
    ("lib", 7),
];

/// Hands that the other hands may use.
const UNDER_THE_HANDS: [&str; 1] = ["process"];

/// Outside crates and the only modules that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("indicatif", &["cli"]),
    ("terminal_size", &["cli"]),
    ("serde_saphyr", &["config"]),
    ("serde_path_to_error", &["config", "import", "store"]),
    ("schemars", &["config", "store", "render"]),
    ("octocrab", &["github"]),
    ("tokio", &["github", "load", "sim", "store"]),
    ("reqwest", &["load"]),
    ("rustls", &["load", "store"]),
    ("tokio_rustls", &["load"]),
    ("rustls_platform_verifier", &["load"]),
    ("bytes", &["load", "sim"]),
    ("hyper", &["load", "sim"]),
    ("hyper_util", &["load", "sim"]),
    ("http_body_util", &["github", "load", "sim"]),
    ("httparse", &["load"]),
    ("httpdate", &["load"]),
    ("memchr", &["commands", "load", "profile"]),
    ("nix", &["git", "load", "process"]),
    ("nvml_wrapper", &["telemetry"]),
    ("git2", &["git"]),
    ("object_store", &["store"]),
    ("rusqlite", &["profile"]),
    ("minijinja", &["render"]),
    ("comfy_table", &["render"]),
    ("unicode_width", &["render"]),
    ("statrs", &["stats"]),
    ("hdrhistogram", &["load"]),
    ("sha2", &["compare", "load", "render", "store"]),
    ("tokenizers", &["load"]),
    ("miniz_oxide", &["load", "profile", "store"]),
    ("base64", &["github", "load", "render"]),
    ("rand_chacha", &["load", "sim", "stats"]),
    ("libm", &["load"]),
];

/// What floors 0 to 3 must never name: no clock, no file, no socket, no async, no printing twin.
const NOT_IN_ARITHMETIC: &[&str] = &[
    "std::fs",
    "std::net",
    "std::io",
    "std::thread",
    "std::env",
    "Instant",
    "SystemTime",
    "async fn",
    "serde::",
];

struct Source {
    module: String,
    path: PathBuf,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files.into_iter().map(|path| read(&root, path)).collect()
}

fn read(root: &Path, path: PathBuf) -> Source {
    let relative = path.strip_prefix(root).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy();
    let module = first.trim_end_matches(".rs").to_owned();
    let text = fs::read_to_string(&path).unwrap();
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    Source {
        module,
        code: code.join("\n"),
        path,
    }
}

fn floor(module: &str) -> u8 {
    let known = FLOORS.iter().find(|(name, _)| *name == module);
    known
        .unwrap_or_else(|| unreachable!("`{module}` has no floor; give it one in FLOORS"))
        .1
}

/// Top-level modules that a source names through `crate::`, in nested braces too.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(heads_of_group(group));
        } else {
            found.insert(word(rest));
        }
    }
    found.retain(|name| FLOORS.iter().any(|(module, _)| module == name));
    found
}

fn heads_of_group(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = vec![word(group)];
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(word(&group[at + 1..])),
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|sign| sign.is_alphanumeric() || *sign == '_')
        .collect()
}

#[test]
fn nothing_imports_upwards() {
    for source in sources() {
        for import in imports(&source.code) {
            let (from, to) = (floor(&source.module), floor(&import));
            let is_under = from == 4 && UNDER_THE_HANDS.contains(&import.as_str());
            let allowed = import == source.module || to < from || is_under || (to == from && from <= 3);
            assert!(
                allowed,
                "{} (floor {from}) imports `{import}` (floor {to})",
                source.path.display()
            );
        }
    }
}

#[test]
fn modules_form_no_cycle() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let found = imports(&source.code);
        edges
            .entry(source.module.clone())
            .or_default()
            .extend(found.into_iter().filter(|to| *to != source.module));
    }
    let mut settled: BTreeSet<String> = BTreeSet::new();
    loop {
        let free: Vec<String> = edges
            .iter()
            .filter(|(module, to)| !settled.contains(*module) && to.iter().all(|t| settled.contains(t)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        settled.extend(free);
    }
    let stuck: Vec<_> = edges.keys().filter(|module| !settled.contains(*module)).collect();
    assert!(stuck.is_empty(), "in a cycle: {stuck:?}");
}

#[test]
fn each_outside_crate_is_named_only_in_its_modules() {
    for source in sources() {
        for (name, homes) in CRATES {
            let named = is_named_in(&source.code, name);
            let at_home = homes.contains(&source.module.as_str());
            assert!(
                !named || at_home,
                "{} names `{name}`, which lives in {homes:?}",
                source.path.display()
            );
        }
    }
}

/// Whether code names an outside crate; `unix::` does not name `nix`.
fn is_named_in(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let is_word = |before: &str| before.ends_with(|sign: char| sign.is_alphanumeric() || sign == '_');
    code.match_indices(&path).any(|(at, _)| !is_word(&code[..at]))
}

/// Crates that twins and errors of every floor may name.
const EVERYWHERE: [&str; 3] = ["serde", "serde_json", "thiserror"];

#[test]
fn every_dependency_has_a_home() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let section = manifest
        .split("[dependencies]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    let names = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.replace('-', "_"));
    for name in names.filter(|name| !name.starts_with('#')) {
        let homed = CRATES.iter().any(|(known, _)| *known == name) || EVERYWHERE.contains(&name.as_str());
        assert!(homed, "`{name}` has no home in CRATES");
        let used = sources().iter().any(|source| is_named_in(&source.code, &name));
        assert!(used || name == "serde_json", "`{name}` is not used");
    }
}

#[test]
fn arithmetic_knows_no_clock_file_or_socket() {
    for source in sources().into_iter().filter(|source| floor(&source.module) <= 3) {
        for word in NOT_IN_ARITHMETIC {
            assert!(!source.code.contains(word), "{} names `{word}`", source.path.display());
        }
    }
}

#[test]
fn files_stay_under_400_lines_and_functions_under_60() {
    for source in sources() {
        let text = fs::read_to_string(&source.path).unwrap();
        let lines = text.lines().count();
        assert!(lines < 400, "{} has {lines} lines", source.path.display());
        for (name, length) in functions(&text) {
            assert!(length < 60, "{}: `{name}` has {length} lines", source.path.display());
        }
    }
}

/// Functions with their lengths, by the indentation that rustfmt gives their closing brace.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(position) = line.find("fn ") else { continue };
        let before = line[..position].trim();
        let is_start = before
            .split(' ')
            .all(|w| matches!(w, "" | "pub" | "pub(crate)" | "pub(super)" | "const" | "async"));
        if !is_start || line.trim_end().ends_with([';', '}']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines.iter().skip(at).position(|l| *l == close) {
            found.push((word(&line[position + 3..]), length + 1));
        }
    }
    found
}
