//! Our requests, and the fake's answers, through Prism, which holds both against GitHub's own description.

use std::{env, net::TcpListener};

use perfgate::github::{Client, Forge, Found, Head, How, Mode, find_pull, standing};

use super::{
    BASE, OTHER, PULL, SHA, body, checks,
    fake::{Entry, Fake, TOKEN},
    listed, post, post_as, pull, settings_at,
};

#[test]
#[ignore = "needs Prism: bash tests/contract/run.sh"]
fn every_request_and_every_answer_is_one_that_github_describes() {
    let port = env::var("PERFGATE_CONTRACT_PORT").expect("the port that Prism asks");
    let prism = env::var("PERFGATE_CONTRACT_URL").expect("Prism's address");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let fake = Fake::on(listener, "", Some(prism.clone()));
    let mut forge = Client::new(&settings_at(&prism, &format!("{prism}/graphql"), TOKEN)).unwrap();

    for n in 0..250 {
        fake.seed("alice", "User", &format!("comment {n}"));
    }
    assert_eq!(post(&mut forge, "one").how, How::Created);
    assert_eq!(post(&mut forge, "two").how, How::Updated);
    assert_eq!(
        post_as(&mut forge, Mode::Recreate, "three").unwrap().left_over,
        Vec::<u64>::new()
    );
    fake.seed("github-actions[bot]", "Bot", &body("one more"));
    post(&mut forge, &"long\n".repeat(20_000));
    assert_eq!(forge.comments(PULL).unwrap().len(), 252);
    forge.myself().unwrap();

    forge.create_check(&checks::check(120)).unwrap();
    forge.set_status(&checks::status()).unwrap();

    fake.state().pulls.push(pull(PULL, SHA, "alice/r"));
    standing(&mut forge, PULL, SHA).unwrap();
    fake.state().pulls = vec![listed(1, OTHER, "o/r"), listed(PULL, SHA, "alice/r")];
    let head = Head {
        sha: SHA.into(),
        repository: Some("alice/r".into()),
    };
    assert!(matches!(find_pull(&mut forge, &head, None).unwrap(), Found::One(_)));

    // Prism knows no path with a slash in it, and no bytes that are no JSON: the rest is in `files`.
    for path in ["perfgate.yaml", "b/d.json"] {
        fake.state().files.insert(path.into(), Entry::File(b"a: b".to_vec()));
    }
    assert_eq!(forge.file("perfgate.yaml", BASE).unwrap().unwrap(), b"a: b");
    assert_eq!(forge.folder("b", BASE).unwrap(), ["b/d.json"]);

    fake.state().messages = vec!["one".into(), "two\n\nperfgate-explain: ttft_p95: so it is".into()];
    assert_eq!(forge.compared(BASE, SHA).unwrap().commits.len(), 2);

    let mut person = Client::new(&settings_at(
        &prism,
        &format!("{prism}/graphql"),
        TOKEN.replace("ghs", "ghp").as_str(),
    ))
    .unwrap();
    fake.state().token = TOKEN.replace("ghs", "ghp");
    fake.state().me = ("perf-bot", "User");
    assert_eq!(person.myself().unwrap().name, "perf-bot");
    fake.check();
    println!("{} requests, each as GitHub describes it", fake.state().log.len());
}
