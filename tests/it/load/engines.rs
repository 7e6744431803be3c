//! What real engines sent, and what they say about themselves.

use std::path::Path;

use perfgate::{load::Probe, plan::Api, session::TokensFrom};

use super::{
    class, measure, plan, runner,
    server::{Act, Server, chunk, end, stream_head, whole},
};

fn body(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/engine");
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn the_streams_of_real_engines_are_read() {
    use TokensFrom::{Chunks, Usage};
    for (file, api, tokens, from, chunks) in [
        ("vllm-0.32.0.chat.sse", Api::Chat, Some((9, 8)), Usage, 8),
        ("vllm-0.32.0.completions.sse", Api::Completions, Some((2, 8)), Usage, 7),
        ("llama-server-b11434.chat.sse", Api::Chat, Some((10, 8)), Usage, 8),
        (
            "llama-server-b11434.completions.sse",
            Api::Completions,
            Some((3, 8)),
            Usage,
            8,
        ),
        ("llama-cpp-python-0.3.36.chat.sse", Api::Chat, None, Chunks, 8),
        (
            "llama-cpp-python-0.3.36.completions.sse",
            Api::Completions,
            None,
            Chunks,
            8,
        ),
    ] {
        let server = Server::of(vec![Act::Request, stream_head(), chunk(body(file)), end()]);
        let mut plan = plan(&server.url, 1);
        plan.target.api = api;
        let record = measure(&plan).requests.remove(0);
        assert_eq!(class(&record).0, "completed", "{file}");
        assert_eq!(record.tokens_from, from, "{file}");
        assert_eq!(record.chunks, chunks, "{file}");
        assert_eq!(record.input_tokens, tokens.map(|(input, _)| input), "{file}");
        assert_eq!(
            record.output_tokens,
            Some(tokens.map_or(chunks, |(_, output)| output)),
            "{file}"
        );
    }
}

/// A server that gives these pages in order, each on a connection of its own.
fn pages(answers: &[(&str, &str)]) -> Server {
    let script = |(status, body): &(&str, &str)| {
        vec![
            Act::Request,
            whole(status, "Content-Type: application/json\r\nConnection: close\r\n", body),
        ]
    };
    Server::start(answers.iter().map(script).collect())
}

fn probe(answers: &[(&str, &str)]) -> (Probe, Vec<String>) {
    let server = pages(answers);
    let probe = runner(&plan(&format!("{}/v1/", server.url), 1)).probe();
    let path = |head: String| head.split(' ').nth(1).map(str::to_owned);
    (
        probe,
        server.seen().into_iter().filter_map(|seen| path(seen.head)).collect(),
    )
}

fn models(owner: &str) -> String {
    format!(r#"{{"object":"list","data":[{{"id":"tiny","object":"model","owned_by":"{owner}"}}]}}"#)
}

#[test]
fn engines_are_known_by_their_list_of_models_and_asked_for_their_version() {
    for (owner, page, name) in [
        ("vllm", r#"{"version":"0.32.0"}"#, "vllm"),
        ("llamacpp", r#"{"build_info":"b11434-0000"}"#, "llama.cpp"),
        ("sglang", r#"{"version":"0.5.23"}"#, "sglang"),
        ("perfgate-sim", r#"{"version":"0.1.0"}"#, "perfgate-sim"),
    ] {
        let (probe, _) = probe(&[("200 OK", &models(owner)), ("200 OK", page)]);
        assert_eq!(probe.engine_name.as_deref(), Some(name));
        let version = probe.engine_version.unwrap();
        assert!(page.contains(&version), "{version}");
        assert_eq!((probe.models, probe.trouble), (vec!["tiny".into()], None));
    }
}

#[test]
fn sglang_s_older_page_is_asked_next() {
    let answers = [
        ("200 OK", models("sglang")),
        ("404 Not Found", "{}".into()),
        ("200 OK", r#"{"version":"0.4.0"}"#.into()),
    ];
    let answers: Vec<(&str, &str)> = answers.iter().map(|(status, body)| (*status, body.as_str())).collect();
    let (probe, paths) = probe(&answers);
    assert_eq!(probe.engine_version.as_deref(), Some("0.4.0"));
    assert_eq!(paths, ["/v1/models", "/server_info", "/get_server_info"]);
}

#[test]
fn an_unknown_engine_has_models_but_no_name() {
    let (probe, paths) = probe(&[("200 OK", &models("me"))]);
    assert_eq!(
        (probe.engine_name, probe.engine_version, probe.trouble),
        (None, None, None)
    );
    assert_eq!(paths, ["/v1/models"]);
}

#[test]
fn a_server_that_cannot_be_probed_is_trouble_in_words() {
    let (refused, _) = probe(&[("401 Unauthorized", r#"{"error":"invalid key"}"#)]);
    assert!(refused.trouble.unwrap().contains("invalid key"));
    let (garbage, _) = probe(&[("200 OK", "<html>")]);
    assert!(garbage.trouble.unwrap().contains("not JSON"));
    let (none, _) = probe(&[("200 OK", r#"{"data":[]}"#)]);
    assert!(none.trouble.unwrap().contains("no model"));
    let nobody = runner(&plan("http://127.0.0.1:1", 1)).probe();
    assert!(nobody.trouble.is_some());
}
