//! Files of a commit through the contents API.

use perfgate::github::{Forge, ForgeError};

use super::{
    BASE, SHA, client,
    fake::{Entry, Fake, Fault, fail},
};

fn with(files: &[(&str, Entry)]) -> Fake {
    let fake = Fake::start();
    fake.state()
        .files
        .extend(files.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())));
    fake
}

fn text(bytes: &[u8]) -> Entry {
    Entry::File(bytes.to_vec())
}

#[test]
fn a_file_is_read_byte_by_byte_at_its_commit() {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let fake = with(&[
        ("perfgate.yaml", text(&bytes)),
        ("a b/c?.yaml", text(b"x")),
        ("empty", text(b"")),
    ]);
    let mut forge = client(&fake);
    assert_eq!(forge.file("perfgate.yaml", BASE).unwrap().unwrap(), bytes);
    assert_eq!(forge.file("empty", BASE).unwrap().unwrap(), b"");
    assert_eq!(forge.file("none.yaml", BASE), Ok(None));
    assert_eq!(
        fake.state().log[0].path,
        format!("/repos/o/r/contents/perfgate.yaml?ref={BASE}")
    );
    forge.file("a b/c?.yaml", BASE).unwrap();
    assert_eq!(
        fake.state().log[3].path,
        format!("/repos/o/r/contents/a%20b/c%3F.yaml?ref={BASE}")
    );
    fake.check();
}

#[test]
fn a_file_of_more_than_a_megabyte_is_read_raw() {
    let bytes = vec![b'7'; 3 * 1024 * 1024];
    let fake = with(&[("big.json", text(&bytes))]);
    assert_eq!(client(&fake).file("big.json", BASE).unwrap().unwrap(), bytes);
    assert_eq!(fake.requests().len(), 2);
    fake.check();
}

#[test]
fn what_is_no_regular_file_is_refused_by_name() {
    let fake = with(&[
        ("link", Entry::Symlink),
        ("sub", Entry::Submodule),
        ("dir/x", text(b"x")),
    ]);
    for (path, kind) in [("link", "symlink"), ("sub", "submodule"), ("dir", "folder")] {
        let refusal = client(&fake).file(path, BASE).unwrap_err();
        let said = format!("`{path}` at commit `{BASE}` is a {kind}; it must be a regular file");
        assert_eq!(refusal.to_string(), said);
    }
}

#[test]
fn a_folder_is_listed_with_those_below_it_and_without_links() {
    let fake = with(&[
        ("b/one.json", text(b"1")),
        ("b/deep/er/two.json", text(b"2")),
        ("b/link.json", Entry::Symlink),
        ("b/sub", Entry::Submodule),
        ("other.json", text(b"3")),
    ]);
    let mut forge = client(&fake);
    assert_eq!(forge.folder("b/", BASE).unwrap(), ["b/deep/er/two.json", "b/one.json"]);
    assert_eq!(forge.folder("none", BASE).unwrap(), Vec::<String>::new());
    assert!(
        forge
            .folder("other.json", BASE)
            .unwrap_err()
            .to_string()
            .contains("`other.json` is no folder")
    );
    fake.check();
}

#[test]
fn a_listing_that_github_cuts_is_refused() {
    let fake = Fake::start();
    for n in 0..999 {
        fake.state().files.insert(format!("b/{n}.json"), text(b"x"));
    }
    assert_eq!(client(&fake).folder("b", BASE).unwrap().len(), 999);
    fake.state().files.insert("b/last.json".into(), text(b"x"));
    let refusal = client(&fake).folder("b", BASE).unwrap_err();
    assert!(
        refusal.to_string().contains("`b` has more than 999 entries"),
        "{refusal}"
    );
}

#[test]
fn a_path_stays_inside_of_the_repository_and_a_commit_is_a_commit() {
    let fake = Fake::start();
    for path in ["", "/etc/passwd", "../x", "a//b", "a/./b", "a/.."] {
        assert!(
            matches!(client(&fake).file(path, BASE), Err(ForgeError::Setup(_))),
            "{path}"
        );
    }
    assert!(matches!(client(&fake).file("a", "main"), Err(ForgeError::Setup(_))));
    assert!(fake.requests().is_empty());
}

#[test]
fn a_comparison_tells_where_a_head_forked_and_what_it_brings() {
    let fake = Fake::start();
    fake.state().messages = (0..258).map(|number| format!("commit {number}")).collect();
    let found = client(&fake).compared(BASE, SHA).unwrap();
    assert_eq!(found.fork, BASE);
    let said: Vec<&str> = found.commits.iter().map(|commit| commit.message.as_str()).collect();
    assert_eq!((said.len(), said[0], said[257]), (258, "commit 257", "commit 0"));
    assert_eq!(found.commits[0].author, "Monalisa Octocat");
    let file = &found.files[0];
    assert_eq!(
        (found.files.len(), file.path.as_str(), file.is_removed),
        (1, "file1.txt", false)
    );
    assert!(file.patch.is_some() && !found.is_cut);
    let pages = fake.requests();
    assert_eq!(pages, vec![format!("GET /repos/o/r/compare/{BASE}...{SHA}"); 3]);
    fake.check();
}

#[test]
fn a_comparison_that_fails_is_asked_for_twice_and_no_more() {
    let fake = Fake::start();
    fake.plant(Fault {
        times: 9,
        ..fail("GET", "/compare/", 503)
    });
    let error = client(&fake).compared(BASE, SHA).unwrap_err();
    assert!(matches!(error, ForgeError::Unreachable { tries: 2, .. }), "{error}");
    assert!(client(&fake).compared("main", SHA).is_err(), "a branch moves");
}
