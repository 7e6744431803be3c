//! Configuration, baselines and acceptances come from the base commit, byte for byte, and from nowhere else (T1, T11).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::{collections::BTreeMap, process::Command};

use perfgate::{
    commands::trust::{self, Asked, InClone, OnForge, Rules, Source},
    compare::Fingerprint,
    config::Overrides,
    git::Repository,
    github::{Brought, CheckRun, Comment, Compared, FileChange, Forge, ForgeError, Head, Login, Pull, Status},
    metric::{Metric, Percentile},
    render,
    session::{Measured, PairArm, Provenance},
    store::Baselines,
    verdict::Limit,
};

use super::repository::Repo;
use crate::made;

const TPOT: Metric = Metric::Tpot(Percentile::P95);

fn limit(rules: &Rules) -> Option<Limit> {
    rules.resolved.policy.gates.get(&TPOT).map(|gate| gate.limit)
}

fn not_applied(rules: &Rules) -> Vec<&str> {
    let trusted = rules.trusted.as_ref().unwrap();
    trusted
        .not_applied
        .iter()
        .map(|changed| changed.path.as_str())
        .collect()
}

fn diff(rules: &Rules) -> &str {
    &rules.trusted.as_ref().unwrap().not_applied[0].diff
}

/// A base with a threshold of 3 %, and the head of a pull request that has not changed anything yet.
fn forked() -> (Repo, String) {
    let repo = Repo::new();
    repo.write(
        "perfgate.yaml",
        "threshold: 3%\ntarget:\n  url: http://127.0.0.1:8000\n",
    );
    let base = repo.commit("rules");
    repo.git(&["switch", "--quiet", "--create", "topic"]);
    (repo, base)
}

#[test]
fn t1_a_threshold_of_the_head_is_shown_and_not_applied() {
    let (repo, base) = forked();
    repo.write(
        "perfgate.yaml",
        "threshold: 500%\ntarget:\n  url: http://127.0.0.1:8000\n",
    );
    repo.commit("loosen the gate");
    let rules = repo.rules_at(&base).unwrap();
    assert_eq!(limit(&rules), Some(Limit::Relative(0.03)));
    assert_eq!(not_applied(&rules), ["perfgate.yaml"]);
    assert!(
        diff(&rules).contains("-threshold: 3%\n+threshold: 500%\n"),
        "{}",
        diff(&rules)
    );
    assert_eq!(rules.trusted.as_ref().unwrap().commit, base);
}

#[test]
fn t1_the_verdict_is_the_same_byte_for_byte_whatever_the_head_says() {
    let (repo, base) = forked();
    let arms = |slowness: f64| {
        let runs = |by: f64| [1.0, 1.004, 0.997, 1.002, 0.999].map(|own| own * by);
        let [old, new] = [runs(1.0), runs(slowness)].map(|runs| made::session(&base, 1_800_000_000, &runs));
        Measured {
            candidate: made::arm(new, "pair", PairArm::Candidate),
            baseline: Some(made::arm(old, "pair", PairArm::Baseline)),
            provenance: Provenance::default(),
            profiles: Vec::new(),
        }
    };
    let judged = |rules: &Rules| {
        let mut report = trust::judge(&arms(1.10), ["old", "new"], rules, &[]).unwrap();
        if let Some(trusted) = &mut report.trusted {
            trusted.not_applied.clear();
        }
        (report.exit_code, render::report_json(&report).unwrap())
    };
    let clean = judged(&repo.rules_at(&base).unwrap());
    repo.write(
        "perfgate.yaml",
        "threshold: 500%\non_inconclusive: pass\ngates: {tpot_p95: off}\n",
    );
    repo.commit("loosen the gate");
    let loosened = judged(&repo.rules_at(&base).unwrap());
    assert_eq!(clean, loosened);
    assert_eq!(clean.0, 1, "10 % is beyond 3 %");
}

#[test]
fn t1_a_head_without_a_configuration_is_judged_by_that_of_the_base() {
    let (repo, base) = forked();
    std::fs::remove_file(repo.path().join("perfgate.yaml")).unwrap();
    repo.commit("no gate");
    let rules = repo.rules_at(&base).unwrap();
    assert_eq!(limit(&rules), Some(Limit::Relative(0.03)));
    assert!(diff(&rules).contains("not there any more"), "{}", diff(&rules));
}

#[cfg(unix)]
#[test]
fn t1_a_head_whose_configuration_is_a_link_is_judged_by_that_of_the_base() {
    let (repo, base) = forked();
    let path = repo.path().join("perfgate.yaml");
    repo.write("loose.yaml", "threshold: 500%\n");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("loose.yaml", &path).unwrap();
    repo.commit("a link");
    let rules = repo.rules_at(&base).unwrap();
    assert_eq!(limit(&rules), Some(Limit::Relative(0.03)));
    assert!(diff(&rules).contains("a symbolic link"), "{}", diff(&rules));
}

#[test]
fn t1_a_change_that_is_not_committed_is_not_applied_either() {
    let (repo, base) = forked();
    repo.write("perfgate.yaml", "threshold: 500%\n");
    let rules = repo.rules_at(&base).unwrap();
    assert_eq!(limit(&rules), Some(Limit::Relative(0.03)));
    assert_eq!(not_applied(&rules), ["perfgate.yaml"]);
}

#[test]
fn t1_a_configuration_that_only_the_head_has_is_not_applied() {
    let repo = Repo::new();
    let base = repo.commit("nothing");
    repo.write("perfgate.yaml", "threshold: 500%\n");
    repo.commit("rules");
    let rules = repo.rules_at(&base).unwrap();
    assert_eq!(limit(&rules), Some(Limit::Relative(0.05)), "the built-in one");
    assert_eq!(rules.trusted.as_ref().unwrap().config, None);
    assert_eq!(not_applied(&rules), ["perfgate.yaml"]);
}

#[test]
fn t1_the_tip_of_the_base_holds_and_its_own_changes_are_not_the_heads() {
    let (repo, _) = forked();
    repo.write("code.py", "pass\n");
    repo.commit("code");
    repo.git(&["switch", "--quiet", "main"]);
    repo.write("perfgate.yaml", "threshold: 2%\n");
    let tip = repo.commit("stricter");
    repo.git(&["switch", "--quiet", "topic"]);
    let rules = repo.rules_at(&tip).unwrap();
    assert_eq!(limit(&rules), Some(Limit::Relative(0.02)));
    assert!(not_applied(&rules).is_empty(), "{:?}", not_applied(&rules));
    // The same where the head adopts what the base has by now.
    repo.write("perfgate.yaml", "threshold: 2%\n");
    repo.commit("adopted");
    assert!(not_applied(&repo.rules_at(&tip).unwrap()).is_empty());
}

#[test]
fn t1_what_is_no_regular_file_at_the_base_is_refused_by_name() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n";
    let submodule = |repo: &Repo| {
        let commit = repo.commit("first");
        repo.git(&[
            "update-index",
            "--add",
            "--cacheinfo",
            &format!("160000,{commit},perfgate.yaml"),
        ]);
        repo.git(&["commit", "--quiet", "--message", "submodule"]);
    };
    let lfs = |repo: &Repo| {
        repo.write("perfgate.yaml", pointer);
        repo.commit("lfs");
    };
    let link = |repo: &Repo| {
        repo.write("target", "/etc/passwd");
        let blob = repo.git(&["hash-object", "-w", "target"]);
        repo.git(&[
            "update-index",
            "--add",
            "--cacheinfo",
            &format!("120000,{blob},perfgate.yaml"),
        ]);
        repo.git(&["commit", "--quiet", "--message", "link"]);
    };
    let kinds = [
        (&submodule as &dyn Fn(&Repo), "a submodule"),
        (&lfs, "git-lfs"),
        (&link, "a symbolic link"),
    ];
    for (make, expected) in kinds {
        let repo = Repo::new();
        make(&repo);
        let error = repo.rules_at("HEAD").unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("`perfgate.yaml`"), "{error}");
    }
}

#[test]
fn t1_a_base_that_this_clone_lacks_is_an_error_that_says_how_to_fetch_it() {
    let (repo, _) = forked();
    let error = repo.rules_at(&"1".repeat(40)).unwrap_err().to_string();
    assert!(error.contains("fetch-depth: 0"), "{error}");
    assert!(repo.rules_at("-x").is_err() && repo.rules_at("").is_err());
}

#[test]
fn t1_baselines_of_the_head_are_not_compared_with() {
    let (repo, _) = forked();
    let fast = made::session("fast", 1_800_000_000, &[1.0; 5]);
    let slow = made::session("slow", 1_800_000_100, &[2.0; 5]);
    let print = Fingerprint::of(&fast);
    let save = |session| {
        let store = Baselines::open(repo.path().join("baselines")).unwrap();
        let hashes = (print.plan_hash(), print.environment_hash());
        store
            .save(session, Some("main"), &hashes.0, &hashes.1, 1_800_000_200, &[])
            .unwrap()
    };
    let stored = save(&fast).path;
    let base = repo.commit("baseline");
    std::fs::remove_file(&stored).unwrap();
    save(&slow);
    repo.write("baselines/other.json", "{}");
    repo.commit("a slower baseline");
    let rules = repo.rules_at(&base).unwrap();
    let baseline = rules.baselines.get("main").unwrap();
    assert_eq!(baseline.history, [fast]);
    assert!(rules.baselines.is_read_only());
    assert!(rules.baselines.remove("main").is_err(), "nothing writes to a commit");
    let name = stored.file_name().unwrap().to_str().unwrap();
    let mut expected = vec!["baselines/other.json".to_owned(), format!("baselines/{name}")];
    expected.sort();
    assert_eq!(not_applied(&rules), expected);
    assert!(
        repo.path().join("baselines/other.json").exists(),
        "the work tree is left alone"
    );
}

#[test]
fn t1_a_baseline_that_is_named_by_its_file_is_the_bases() {
    let (repo, _) = forked();
    let fast = made::session("fast", 1_800_000_000, &[1.0; 5]);
    made::write(&repo.path(), "good.json", &fast);
    repo.write("perfgate.yaml", "baseline: good.json\n");
    let base = repo.commit("named");
    made::write(
        &repo.path(),
        "good.json",
        &made::session("slow", 1_800_000_000, &[2.0; 5]),
    );
    let candidate = made::session("new", 1_800_000_300, &[2.0, 2.01, 1.99, 2.0, 2.02]);
    let measured = Measured {
        candidate,
        baseline: None,
        provenance: Provenance::default(),
        profiles: Vec::new(),
    };
    let mut flags = Overrides::new();
    for flags in [Overrides::new(), {
        flags.push("baseline", "./good.json");
        flags
    }] {
        let rules = repo.rules_with(&base, &flags).unwrap();
        let report = trust::judge(&measured, ["b", "c"], &rules, &[]).unwrap();
        assert_eq!(report.exit_code, 1, "twice as slow as the base's: {}", report.headline);
    }
}

#[test]
fn t1_prompts_that_the_head_replaced_are_refused() {
    let (repo, _) = forked();
    repo.write("perfgate.yaml", "dataset: prompts.jsonl\n");
    repo.write("prompts.jsonl", "{\"prompt\": \"long\"}\n");
    let base = repo.commit("prompts");
    assert!(repo.rules_at(&base).is_ok());
    repo.write("prompts.jsonl", "{\"prompt\": \"x\"}\n");
    let error = repo.rules_at(&base).unwrap_err().to_string();
    assert!(
        error.contains("`prompts.jsonl`") && error.contains("git checkout"),
        "{error}"
    );
}

#[test]
fn t1_acceptances_of_the_head_accept_nothing() {
    let (repo, _) = forked();
    let accept = |who: &str| format!("accept:\n  - metric: ttft_p95\n    reason: known\n    who: {who}\n");
    repo.write("perfgate-accept.yaml", accept("owner"));
    let base = repo.commit("accept");
    repo.write("perfgate-accept.yaml", accept("mallory"));
    repo.commit("accept more");
    let rules = repo.rules_at(&base).unwrap();
    let who: Vec<&str> = rules.explanations.iter().map(|said| said.who.as_str()).collect();
    assert_eq!(who, ["owner"]);
    assert_eq!(not_applied(&rules), ["perfgate-accept.yaml"]);
}

#[test]
fn t11_address_and_key_come_from_the_base_together() {
    let (repo, _) = forked();
    let target = |url: &str| format!("target:\n  url: {url}\n  api_key_env: KEY\n");
    repo.write("perfgate.yaml", target("http://127.0.0.1:8000"));
    let base = repo.commit("key");
    repo.write("perfgate.yaml", target("http://attacker.example"));
    repo.commit("send it to me");
    let rules = repo.rules_at(&base).unwrap();
    assert_eq!(rules.resolved.plan.target.url, "http://127.0.0.1:8000");
    assert_eq!(rules.resolved.plan.target.api_key_env.as_deref(), Some("KEY"));
}

#[test]
fn a_configuration_in_a_folder_brings_the_baselines_beside_it() {
    let repo = Repo::new();
    repo.write("perf/gate.yaml", "store: kept\nthreshold: 4%\n");
    let session = made::session("a", 1_800_000_000, &[1.0; 5]);
    let print = Fingerprint::of(&session);
    let store = Baselines::open(repo.path().join("perf/kept")).unwrap();
    let (plan, environment) = (print.plan_hash(), print.environment_hash());
    store.save(&session, Some("main"), &plan, &environment, 1, &[]).unwrap();
    let base = repo.commit("rules in a folder");
    let asked = Asked {
        config: Some("perf/gate.yaml".as_ref()),
        variable: &|_| None,
        flags: &Overrides::new(),
    };
    let repository = Repository::open(&repo.path()).unwrap();
    let rules = trust::at_ref(&repository, &base, &repo.path(), &asked).unwrap();
    assert_eq!(limit(&rules), Some(Limit::Relative(0.04)));
    assert_eq!(rules.baselines.list().unwrap().len(), 1);
}

/// The forge of a repository on disk: what the contents API would say, from git's own commands.
struct FromDisk<'a>(&'a Repo);

impl Forge for FromDisk<'_> {
    fn file(&mut self, path: &str, commit: &str) -> Result<Option<Vec<u8>>, ForgeError> {
        let output = Command::new("git")
            .current_dir(self.0.path())
            .args(["show", &format!("{commit}:{path}")])
            .output()
            .unwrap();
        Ok(output.status.success().then_some(output.stdout))
    }

    fn folder(&mut self, path: &str, commit: &str) -> Result<Vec<String>, ForgeError> {
        let text = self.0.git(&["ls-tree", "--name-only", commit, &format!("{path}/")]);
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn compared(&mut self, base: &str, head: &str) -> Result<Compared, ForgeError> {
        let fork = self.0.git(&["merge-base", base, head]);
        let files = self.0.git(&["diff", "--name-status", "--no-renames", &fork, head]);
        let change = |line: &str| {
            let (status, path) = line.split_once('\t').unwrap();
            FileChange {
                path: path.into(),
                is_removed: status == "D",
                patch: (status != "D").then(|| "@@ -0,0 +1 @@\n+{}".into()),
            }
        };
        let commits = self.0.git(&["log", "--format=%H", &format!("{base}..{head}")]);
        let brought = |sha: &str| Brought {
            sha: sha.into(),
            author: self.0.git(&["log", "-1", "--format=%an", sha]),
            message: self.0.git(&["log", "-1", "--format=%B", sha]),
        };
        Ok(Compared {
            fork,
            files: files.lines().map(change).collect(),
            commits: commits.lines().map(brought).collect(),
            is_cut: false,
        })
    }

    fn myself(&mut self) -> Result<Login, ForgeError> {
        unreachable!("nobody asks")
    }
    fn pull(&mut self, _: u64) -> Result<Pull, ForgeError> {
        unreachable!("nobody asks")
    }
    fn pulls_of(&mut self, _: &Head) -> Result<Vec<Pull>, ForgeError> {
        unreachable!("nobody asks")
    }
    fn comments(&mut self, _: u64) -> Result<Vec<Comment>, ForgeError> {
        unreachable!("nobody asks")
    }
    fn create_comment(&mut self, _: u64, _: &str) -> Result<Comment, ForgeError> {
        unreachable!("nobody writes")
    }
    fn update_comment(&mut self, _: u64, _: &str) -> Result<Comment, ForgeError> {
        unreachable!("nobody writes")
    }
    fn delete_comment(&mut self, _: u64) -> Result<(), ForgeError> {
        unreachable!("nobody writes")
    }
    fn minimize_comment(&mut self, _: &Comment) -> Result<(), ForgeError> {
        unreachable!("nobody writes")
    }
    fn create_check(&mut self, _: &CheckRun) -> Result<u64, ForgeError> {
        unreachable!("nobody writes")
    }
    fn set_status(&mut self, _: &Status) -> Result<(), ForgeError> {
        unreachable!("nobody writes")
    }
}

#[test]
fn the_clone_and_the_forge_give_the_same_bytes_and_the_same_rules() {
    let (repo, _) = forked();
    repo.write("baselines/a.json", "{}");
    repo.write("baselines/deep/b.json", "{}");
    repo.write("perfgate-accept.yaml", "accept: []\n");
    let base = repo.commit("files");
    repo.write("perfgate.yaml", "threshold: 500%\n");
    repo.write("baselines/c.json", "{}\n");
    let head = repo.commit("loosen\n\nperfgate-explain: tpot_p95: so it is");
    let repository = Repository::open(&repo.path()).unwrap();
    let mut forge = FromDisk(&repo);
    let read = |source: &mut dyn Source| {
        let mut files = BTreeMap::new();
        for path in [
            "perfgate.yaml",
            "baselines/a.json",
            "perfgate-accept.yaml",
            "missing.yaml",
        ] {
            files.insert(path, source.file(path).unwrap());
        }
        let mut listed = source.folder("baselines").unwrap();
        listed.retain(|path| path != "baselines/deep");
        (files, listed, source.folder("nowhere").unwrap())
    };
    let clone = read(&mut InClone::at(&repository, &base).unwrap());
    assert_eq!(clone, read(&mut OnForge::at(&mut forge, &base).unwrap()));
    assert_eq!(clone.1, ["baselines/a.json"]);
    let asked = Asked {
        config: None,
        variable: &|_| None,
        flags: &Overrides::new(),
    };
    let here = repo.rules_at(&base).unwrap();
    let there = trust::on_forge(&mut forge, &base, Some(&head), &asked).unwrap();
    assert_eq!(here.resolved.policy, there.resolved.policy);
    assert_eq!(here.config_sha256, there.config_sha256);
    assert_eq!(here.trusted, there.trusted);
    assert_eq!(not_applied(&here), ["perfgate.yaml", "baselines/c.json"]);
    let of_commits = trust::explanations_of_commits(&repository, &base, &head).unwrap();
    assert_eq!((there.explanations, there.problems), of_commits);
    assert!(there.told.is_empty(), "no session is stored");
    assert!(
        OnForge::at(&mut forge, "main").is_err(),
        "a branch moves between two requests"
    );
}

#[test]
fn without_a_clone_the_forge_tells_whose_baseline_it_is() {
    let repo = Repo::new();
    let own = repo.commit("first");
    repo.git(&["switch", "--quiet", "--create", "topic"]);
    let foreign = repo.commit("foreign");
    repo.git(&["switch", "--quiet", "main"]);
    let asked = Asked {
        config: None,
        variable: &|_| None,
        flags: &Overrides::new(),
    };
    for (commit, at, is_own) in [(&foreign, 1_800_000_000, false), (&own, 1_800_010_000, true)] {
        let session = made::session(commit, at, &[1.0; 5]);
        made::save(&repo.path().join("baselines"), "main", &session);
        let base = repo.commit("a baseline");
        let rules = trust::on_forge(&mut FromDisk(&repo), &base, None, &asked).unwrap();
        assert_eq!(rules.told, BTreeMap::from([(commit.clone(), is_own)]));
    }
}
