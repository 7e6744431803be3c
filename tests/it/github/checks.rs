//! Check runs with their annotations, and the status of those who may not write any.

use perfgate::github::{Annotation, CheckRun, Conclusion, Forge, ForgeError, Level, Status, Told, limits, tell};
use serde_json::{Value, json};

use super::{
    SHA, client,
    fake::{Fake, Fault, fail},
    person,
};

pub(super) fn check(annotations: u32) -> CheckRun {
    let one = |line| Annotation {
        path: "perfgate.yaml".into(),
        line,
        level: Level::Failure,
        title: format!("line {line}"),
        message: "TTFT P95 rose by 14 %".into(),
    };
    CheckRun {
        name: "perfgate / gate".into(),
        head_sha: SHA.into(),
        conclusion: Conclusion::Failure,
        title: "regression".into(),
        summary: "**regression**".into(),
        annotations: (1..=annotations).map(one).collect(),
        details_url: Some("https://example.com/run".into()),
    }
}

pub(super) fn status() -> Status {
    Status {
        context: "perfgate".into(),
        sha: SHA.into(),
        conclusion: Conclusion::Failure,
        description: "regression: ".to_owned() + &"x".repeat(200),
        target_url: Some("https://example.com/run".into()),
    }
}

/// The lines of the annotations of each request.
fn chunks(fake: &Fake) -> Vec<Vec<u64>> {
    let state = fake.state();
    let writes = state.log.iter().filter(|seen| seen.method != "GET");
    let lines = |body: &Value| {
        let all = body["output"]["annotations"].as_array().unwrap().clone();
        all.iter().map(|one| one["start_line"].as_u64().unwrap()).collect()
    };
    writes.map(|seen| lines(&seen.body)).collect()
}

#[test]
fn a_check_run_of_120_annotations_is_three_requests() {
    let fake = Fake::start();
    let id = client(&fake).create_check(&check(120)).unwrap();
    assert_eq!(
        chunks(&fake),
        [
            (1..=50).collect::<Vec<_>>(),
            (51..=100).collect(),
            (101..=120).collect()
        ]
    );
    assert_eq!(
        fake.requests()[1..],
        vec![format!("PATCH /repos/o/r/check-runs/{id}"); 2]
    );
    assert_eq!(fake.state().checks[0]["output"]["annotations_count"], 120);
    let sent = fake.state().log[0].body.clone();
    assert_eq!(
        (&sent["conclusion"], &sent["status"], &sent["head_sha"]),
        (&json!("failure"), &json!("completed"), &json!(SHA))
    );
    fake.check();
}

#[test]
fn exactly_fifty_annotations_are_one_request_and_none_are_one_too() {
    let fake = Fake::start();
    client(&fake).create_check(&check(50)).unwrap();
    client(&fake).create_check(&check(0)).unwrap();
    client(&fake).create_check(&check(51)).unwrap();
    let sizes: Vec<usize> = chunks(&fake).iter().map(Vec::len).collect();
    assert_eq!(sizes, [50, 0, 50, 1]);
    fake.check();
}

#[test]
fn a_check_run_whose_answer_is_lost_is_found_again() {
    let fake = Fake::start();
    fake.plant(Fault {
        is_after: true,
        ..fail("POST", "/check-runs", 502)
    });
    let id = client(&fake).create_check(&check(1)).unwrap();
    assert_eq!(fake.state().checks.len(), 1);
    assert_eq!(fake.state().checks[0]["id"], id);
    fake.plant(fail("POST", "/check-runs", 502));
    assert!(client(&fake).create_check(&check(1)).unwrap() > id);
    assert_eq!(fake.state().checks.len(), 2);
    fake.check();
}

#[test]
fn annotations_whose_answer_is_lost_are_not_doubled() {
    for is_after in [true, false] {
        let fake = Fake::start();
        fake.plant(Fault {
            is_after,
            ..fail("PATCH", "/check-runs/", 502)
        });
        client(&fake).create_check(&check(70)).unwrap();
        assert_eq!(fake.state().checks[0]["output"]["annotations_count"], 70, "{is_after}");
    }
}

#[test]
fn what_is_too_long_for_a_check_run_is_cut() {
    let fake = Fake::start();
    let mut long = check(1);
    long.title = "t".repeat(300);
    long.summary = "summary line\n".repeat(6_000);
    long.annotations[0].title = "a".repeat(300);
    long.annotations[0].message = "message line\n".repeat(6_000);
    client(&fake).create_check(&long).unwrap();
    let output = fake.state().log[0].body["output"].clone();
    let length = |value: &Value| value.as_str().unwrap().chars().count();
    assert_eq!(length(&output["title"]), limits::TITLE_CHARS);
    assert_eq!(length(&output["annotations"][0]["title"]), limits::TITLE_CHARS);
    assert!(length(&output["summary"]) <= limits::CHECK_SUMMARY_CHARS);
    assert!(output["annotations"][0]["message"].as_str().unwrap().len() <= limits::ANNOTATION_BYTES);
    fake.check();
}

#[test]
fn with_a_personal_token_the_verdict_is_a_commit_status() {
    let fake = Fake::start();
    fake.plant(Fault {
        message: "You must authenticate via a GitHub App.",
        ..fail("POST", "/check-runs", 403)
    });
    let told = tell(&mut person(&fake, "perf-bot"), &check(1), &status()).unwrap();
    let Told::Status(why) = told else { panic!() };
    assert!(why.to_string().contains("`permissions: checks: write`"), "{why}");
    let written = fake.state().statuses[0].clone();
    assert_eq!(
        (&written["state"], &written["context"]),
        (&json!("failure"), &json!("perfgate"))
    );
    assert_eq!(
        written["description"].as_str().unwrap().chars().count(),
        limits::STATUS_CHARS
    );
    assert_eq!(fake.requests()[1], format!("POST /repos/o/r/statuses/{SHA}"));
}

#[test]
fn where_both_are_refused_the_check_runs_permission_is_named() {
    let fake = Fake::start();
    for path in ["/check-runs", "/statuses/"] {
        fake.plant(Fault {
            message: "Not Found",
            ..fail("POST", path, 404)
        });
    }
    let refusal = tell(&mut client(&fake), &check(0), &status()).unwrap_err();
    assert!(
        matches!(
            refusal,
            ForgeError::Permission {
                permission: "checks: write",
                status: 404,
                ..
            }
        ),
        "{refusal}"
    );
}

#[test]
fn a_check_run_that_fails_for_another_reason_has_no_status_instead() {
    let fake = Fake::start();
    fake.plant(fail("POST", "/check-runs", 422));
    assert!(tell(&mut client(&fake), &check(0), &status()).is_err());
    assert!(fake.state().statuses.is_empty());
}

#[test]
fn each_conclusion_has_its_word_in_both() {
    for (conclusion, word, state) in [
        (Conclusion::Success, "success", "success"),
        (Conclusion::Failure, "failure", "failure"),
        (Conclusion::Neutral, "neutral", "success"),
        (Conclusion::ActionRequired, "action_required", "pending"),
    ] {
        let fake = Fake::start();
        let mut forge = client(&fake);
        forge.create_check(&CheckRun { conclusion, ..check(0) }).unwrap();
        forge.set_status(&Status { conclusion, ..status() }).unwrap();
        assert_eq!(fake.state().checks[0]["conclusion"], word);
        assert_eq!(fake.state().statuses[0]["state"], state);
        fake.check();
    }
}

#[test]
fn only_a_whole_commit_is_told_anything() {
    let fake = Fake::start();
    for sha in ["main", "../../x", "abc"] {
        let refusal = client(&fake)
            .create_check(&CheckRun {
                head_sha: sha.into(),
                ..check(0)
            })
            .unwrap_err();
        assert!(refusal.to_string().contains("is no commit"), "{refusal}");
        assert!(
            client(&fake)
                .set_status(&Status {
                    sha: sha.into(),
                    ..status()
                })
                .is_err()
        );
    }
    assert!(fake.requests().is_empty());
}
