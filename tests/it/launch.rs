//! What `launch` writes for an engine of jobs; that it works is `tests/slurm` and `tests/k8s` to see.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, path::Path};

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
    let left = fs::read_dir(folder.path().join("out")).unwrap();
    assert_eq!(left.count(), 0, "nothing is left over");
}

const K8S: [&str; 8] = [
    "k8s",
    "--shards",
    "4",
    "--image",
    "registry.example/perfgate:0.1.0",
    "--claim",
    "shared",
    "--dry-run",
];

/// What is printed, with a name in the place of the one that is made of time and process.
fn manifest(folder: &Path, more: &[&str], name: &str) -> String {
    let (printed, _) = expect(folder, 0, &[&["launch"], &K8S[..], more].concat());
    let line = printed.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap();
    printed.replace(line, name)
}

#[test]
fn the_example_for_kubernetes_is_what_is_printed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes");
    let printed = manifest(&folder, &[], "perfgate-run-17");
    let path = folder.join("job.yaml");
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert_eq!(
        printed, kept,
        "`UPDATE_EXAMPLES=1 cargo test --test it launch` writes it anew"
    );
}

#[test]
fn pods_get_the_plans_files_its_keys_by_name_and_its_words_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir_all(folder.join("perf/data")).unwrap();
    fs::write(folder.join("perf/data/p.jsonl"), "{\"prompt\": \"a\"}\n").unwrap();
    let file = "# it's: a $(HOSTNAME)\ntarget: {url: 'http://10.0.0.9:8000', api_key_env: LAB_KEY}\nmodel: x\nrate: 40\ndataset: data/p.jsonl\n";
    fs::write(folder.join("perf/p.yaml"), file).unwrap();
    let config = ["--config", "perf/p.yaml", "--model", "a \"$(HOSTNAME)\" $$"];
    let printed = manifest(folder, &config, "perfgate-1");
    for part in [
        "  file-0: |\n    # it's: a $(HOSTNAME)\n",
        "  file-1: |\n    {\"prompt\": \"a\"}\n",
        "                path: \"data/p.jsonl\"\n",
        "                  name: perfgate\n                  key: LAB_KEY\n",
        "            - \"--config=perfgate.yaml\"\n            - \"--model=a \\\"$$(HOSTNAME)\\\" $$$$\"\n",
    ] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
    let named = ["--config", "perf/p.yaml", "--dataset", "./perf/data/p.jsonl"];
    assert!(
        manifest(folder, &named, "perfgate-1").contains("path: \"perf/data/p.jsonl\"\n"),
        "as the flag has it"
    );
    fs::write(folder.join("outside.jsonl"), "{\"prompt\": \"a\"}\n").unwrap();
    for (more, says) in [
        (&["--dataset", "../outside.jsonl"][..], "put it on the claim"),
        (&["--header", "X-Key: abc"], "`X-Key: env:VARIABLE`"),
        (&["--namespace", "A b"], "is no name of an object"),
    ] {
        let args = [&["launch"], &K8S[..], &["--config", "perf/p.yaml"], more].concat();
        let (_, said) = expect(folder, 2, &args);
        assert!(said.contains(says), "{says}: {said}");
    }
    let mut args = [
        &["launch"],
        &K8S[..7],
        &["--config", "perf/p.yaml", "-o", "out/session.json"],
    ]
    .concat();
    args.retain(|word| *word != "--dry-run");
    let output = perfgate(folder, &args).env("PATH", "/nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`kubectl` cannot be started"), "{said}");
    assert_eq!(
        fs::read_dir(folder.join("out")).unwrap().count(),
        0,
        "nothing is left over"
    );
}
