//! What `launch` writes for an engine of jobs; that it works is `tests/slurm` to see.

use crate::command::{expect, perfgate};

const PLAN: [&str; 8] = [
    "--url",
    "http://10.0.0.9:8000",
    "--model",
    "it's a model",
    "--rate",
    "40",
    "--api-key-env",
    "LAB_KEY",
];

fn with<'a>(engine: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["launch"], engine, &PLAN, more].concat()
}

#[test]
fn the_job_of_slurm_is_a_script_that_quotes_everything() {
    let folder = tempfile::tempdir().unwrap();
    let own = ["slurm", "--shards", "4", "--dir", "a shared % folder", "--dry-run"];
    let args = with(
        &own,
        &["--sbatch", "--partition=cpu", "--sbatch", "--comment=it's \"one\""],
    );
    let (script, _) = expect(folder.path(), 0, &args);
    let place = folder.path().canonicalize().unwrap();
    let script = script.replace(place.to_str().unwrap(), "[folder]");
    let script = script.replace(env!("CARGO_BIN_EXE_perfgate"), "[perfgate]");
    let named = script.split("perfgate-shards-").nth(1).unwrap();
    let name: String = named
        .chars()
        .take_while(|sign| sign.is_ascii_digit() || *sign == '-')
        .collect();
    insta::assert_snapshot!(script.replace(&name, "[new]"));
}

#[test]
fn what_cannot_be_launched_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let slurm = ["slurm", "--shards", "4"];
    for (more, says) in [
        (
            &["--dry-run", "--sbatch", "--ntasks=8"][..],
            "is what `launch slurm` sets itself",
        ),
        (&["--dry-run", "--sbatch", "gpu"], "is no option of sbatch"),
        (
            &["--header", "Authorization: Bearer abc"],
            "`Authorization: env:VARIABLE`",
        ),
        (&["--warmup", "auto"], "give `warmup` a number"),
        (&[], "LAB_KEY"),
    ] {
        let (_, said) = expect(folder.path(), 2, &with(&slurm, more));
        assert!(said.contains(says) && !said.contains("Bearer"), "{says}: {said}");
    }
    let args = with(&slurm, &["-o", "out/session.json"]);
    let mut command = perfgate(folder.path(), &args);
    let output = command.env("LAB_KEY", "x").env("PATH", "/nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("`sbatch` cannot be started") && said.contains("login node"),
        "{said}"
    );
    let left = std::fs::read_dir(folder.path().join("out")).unwrap();
    assert_eq!(left.count(), 0, "nothing is left over");
}
