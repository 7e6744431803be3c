//! What the fake answers, and what it holds against GitHub's description.

use std::sync::OnceLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::fake::{Entry, Reply, Seen, State, description, example};

/// The answer to a request; `None`: the connection is dropped.
pub(super) fn answer(state: &mut State, seen: &Seen) -> Option<Reply> {
    let Some(fault) = state.fault(seen) else {
        return Some(route(state, seen));
    };
    if fault.is_after {
        route(state, seen);
    }
    (fault.status != 0).then(|| {
        let mut reply = Reply::refused(fault.status, fault.message);
        reply.headers.push_str(&fault.headers);
        reply
    })
}

fn route(state: &mut State, seen: &Seen) -> Reply {
    if seen.headers.get("authorization") != Some(&format!("Bearer {}", state.token)) {
        return Reply::refused(401, "Bad credentials");
    }
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    if path == "/graphql" || path == "/api/graphql" {
        return graphql(state, &seen.body);
    }
    let Some(path) = path.strip_prefix(state.prefix) else {
        return Reply::refused(404, "Not Found");
    };
    if let Some(broken) = violation(&seen.method, path, &seen.body) {
        state.violations.push(broken.clone());
        return Reply::refused(422, &broken);
    }
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (seen.method.as_str(), parts.as_slice()) {
        ("GET", ["user"]) => user(state),
        ("GET", ["repos", "o", "r", "pulls"]) => pulls(state, query, |pull| pull["state"] == "open"),
        ("GET", ["repos", "o", "r", "pulls", number]) => pull(state, number),
        ("GET", ["repos", "o", "r", "commits", sha, "pulls"]) => {
            // Of a fork's commits GitHub tells nothing here.
            pulls(state, query, |pull| {
                pull["head"]["sha"] == *sha && pull["head"]["repo"]["full_name"] == "o/r"
            })
        }
        ("GET", ["repos", "o", "r", "commits", sha, "check-runs"]) => {
            let runs: Vec<&Value> = state.checks.iter().filter(|run| run["head_sha"] == *sha).collect();
            Reply::json(200, &json!({"total_count": runs.len(), "check_runs": runs}))
        }
        (method, ["repos", "o", "r", "issues", "comments", id]) => one_comment(state, method, id, &seen.body),
        (method, ["repos", "o", "r", "issues", _, "comments"]) => comments(state, method, path, query, &seen.body),
        ("POST", ["repos", "o", "r", "check-runs"]) => start_check(state, &seen.body),
        (method, ["repos", "o", "r", "check-runs", id]) => one_check(state, method, id, &seen.body),
        ("POST", ["repos", "o", "r", "statuses", _]) => {
            state.statuses.push(seen.body.clone());
            Reply::json(201, &example("status"))
        }
        ("GET", ["repos", "o", "r", "compare", ends]) => compared(state, ends, query),
        ("GET", ["repos", "o", "r", "contents", rest @ ..]) => {
            contents(state, &rest.join("/"), &seen.headers["accept"])
        }
        _ => Reply::refused(404, "Not Found"),
    }
}

/// What is wrong with a body by GitHub's description; a body where none is described is wrong, too.
fn violation(method: &str, path: &str, body: &Value) -> Option<String> {
    static BODIES: OnceLock<Vec<(String, String, Validator)>> = OnceLock::new();
    if body.is_null() {
        return None;
    }
    let known = BODIES.get_or_init(bodies).iter();
    let mut fitting = known.filter(|(known, template, _)| known == method && fits(template, path));
    let Some((_, _, validator)) = fitting.next() else {
        return Some(format!("{method} {path} takes no body"));
    };
    let first = validator.iter_errors(body).next();
    first.map(|error| format!("{method} {path}: {}: {error}", error.instance_path()))
}

fn bodies() -> Vec<(String, String, Validator)> {
    let whole = description();
    let mut all = Vec::new();
    for (template, item) in whole["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("requestBody").is_none() {
                continue;
            }
            let pointer = template.replace('/', "~1").replace('{', "%7B").replace('}', "%7D");
            let reference = format!("#/paths/{pointer}/{method}/requestBody/content/application~1json/schema");
            let schema = json!({"$ref": reference, "paths": whole["paths"], "components": whole["components"]});
            let validator = jsonschema::validator_for(&schema).unwrap();
            all.push((method.to_uppercase(), template.clone(), validator));
        }
    }
    all
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(one, other)| one.starts_with('{') || one == other)
}

fn graphql(state: &mut State, body: &Value) -> Reply {
    let query = body["query"].as_str().unwrap();
    if query.contains("viewer") {
        return Reply::json(200, &json!({"data": {"viewer": {"login": state.me.0}}}));
    }
    let node = &body["variables"]["id"];
    let Some(comment) = state.comments.iter_mut().find(|comment| comment["node_id"] == *node) else {
        return Reply::json(
            200,
            &json!({"data": null, "errors": [{"type": "NOT_FOUND", "message": "no such node"}]}),
        );
    };
    comment["minimized"] = json!({"reason": "outdated"});
    Reply::json(
        200,
        &json!({"data": {"minimizeComment": {"minimizedComment": {"isMinimized": true}}}}),
    )
}

fn user(state: &State) -> Reply {
    if state.me.1 == "Bot" {
        return Reply::refused(403, "Resource not accessible by integration");
    }
    let mut user = example("private-user-response-with-public-profile-information");
    user["login"] = json!(state.me.0);
    user["type"] = json!(state.me.1);
    Reply::json(200, &user)
}

fn number(query: &str, name: &str) -> usize {
    let found = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, _)| *known == name);
    found.map_or(1, |(_, text)| text.parse().unwrap())
}

/// One page of a list, and where the next one is: at an address that nobody should go to.
fn page(state: &State, path: &str, query: &str, all: &[Value]) -> Reply {
    let (per_page, page) = (number(query, "per_page"), number(query, "page"));
    assert!((1..=100).contains(&per_page) && page >= 1, "{query}");
    let from = ((page - 1) * per_page).min(all.len());
    let to = (from + per_page).min(all.len());
    let mut reply = Reply::json(200, &Value::from(&all[from..to]));
    if to < all.len() {
        let base = format!("{}{}{path}?per_page={per_page}", state.public, state.prefix);
        let (next, last) = (page + 1, all.len().div_ceil(per_page));
        let link = format!("Link: <{base}&page={next}>; rel=\"next\", <{base}&page={last}>; rel=\"last\"\r\n");
        reply.headers.push_str(&link);
    }
    reply
}

fn pulls(state: &State, query: &str, fits: impl Fn(&Value) -> bool) -> Reply {
    let all: Vec<Value> = state.pulls.iter().filter(|pull| fits(pull)).cloned().collect();
    page(state, "/repos/o/r/pulls", query, &all)
}

fn pull(state: &mut State, number: &str) -> Reply {
    let number: u64 = number.parse().unwrap();
    let found = state.pulls.iter().find(|pull| pull["number"] == number).cloned();
    let Some(mut pull) = found else {
        return Reply::refused(404, "Not Found");
    };
    if let Some((after, sha)) = &mut state.moves {
        if *after == 0 {
            pull["head"]["sha"] = json!(sha);
        }
        *after = after.saturating_sub(1);
    }
    Reply::json(200, &pull)
}

fn comments(state: &mut State, method: &str, path: &str, query: &str, body: &Value) -> Reply {
    if method == "POST" {
        let (login, kind) = state.me;
        state.comment(login, kind, body["body"].as_str().unwrap());
        return Reply::json(201, state.comments.last().unwrap());
    }
    let mut all = state.comments.clone();
    if state.lag.0 > 0 {
        state.lag.0 -= 1;
        all.retain(|comment| comment["id"].as_u64().unwrap() < state.lag.1);
    }
    page(state, path, query, &all)
}

fn one_comment(state: &mut State, method: &str, id: &str, body: &Value) -> Reply {
    let id: u64 = id.parse().unwrap();
    let Some(at) = state.comments.iter().position(|comment| comment["id"] == id) else {
        return Reply::refused(404, "Not Found");
    };
    match method {
        "DELETE" => {
            state.comments.remove(at);
            Reply {
                status: 204,
                headers: String::new(),
                body: Vec::new(),
            }
        }
        "PATCH" => {
            state.comments[at]["body"] = body["body"].clone();
            Reply::json(200, &state.comments[at])
        }
        _ => Reply::refused(405, "Method Not Allowed"),
    }
}

fn start_check(state: &mut State, body: &Value) -> Reply {
    state.next_id += 1;
    let mut check = example("check-run-example-of-completed-conclusion");
    check["id"] = json!(state.next_id);
    for name in ["name", "head_sha", "external_id", "conclusion"] {
        check[name] = body[name].clone();
    }
    check["output"]["annotations_count"] = json!(body["output"]["annotations"].as_array().unwrap().len());
    state.checks.push(check.clone());
    Reply::json(201, &check)
}

fn one_check(state: &mut State, method: &str, id: &str, body: &Value) -> Reply {
    let id: u64 = id.parse().unwrap();
    let check = state.checks.iter_mut().find(|check| check["id"] == id).unwrap();
    if method == "PATCH" {
        let more = body["output"]["annotations"].as_array().unwrap().len();
        let before = check["output"]["annotations_count"].as_u64().unwrap();
        check["output"]["annotations_count"] = json!(before + more as u64);
    }
    Reply::json(200, check)
}

/// The comparison of the description's example, with the commits that are planted, a page at a time.
fn compared(state: &State, ends: &str, query: &str) -> Reply {
    let Some((base, _)) = ends.split_once("...") else {
        return Reply::refused(404, "Not Found");
    };
    let number = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap().parse::<usize>().unwrap()
    };
    let (size, page) = (number("per_page"), number("page"));
    let mut comparison = example("commit-comparison");
    comparison["merge_base_commit"]["sha"] = json!(base);
    let commit = comparison["commits"][0].clone();
    let commits = state.messages.iter().enumerate().map(|(number, message)| {
        let mut commit = commit.clone();
        commit["sha"] = json!(format!("{number:040x}"));
        commit["commit"]["message"] = json!(message);
        commit
    });
    comparison["total_commits"] = json!(state.messages.len());
    comparison["commits"] = commits.skip(size * (page - 1)).take(size).collect();
    if page > 1 {
        comparison.as_object_mut().unwrap().remove("files");
    }
    Reply::json(200, &comparison)
}

fn contents(state: &State, path: &str, accept: &str) -> Reply {
    let entry = |kind: &str, path: &str, size: usize| {
        let mut entry = example("content-file-response-if-content-is-a-file");
        entry["type"] = json!(kind);
        entry["path"] = json!(path);
        entry["name"] = json!(path.rsplit('/').next());
        entry["size"] = json!(size);
        entry
    };
    let below: Vec<(&String, &Entry)> = state
        .files
        .iter()
        .filter(|(at, _)| at.starts_with(&format!("{path}/")))
        .collect();
    match state.files.get(path) {
        Some(Entry::File(bytes)) if accept.contains("raw") => Reply {
            status: 200,
            headers: "Content-Type: application/vnd.github.raw+json\r\n".into(),
            body: bytes.clone(),
        },
        Some(Entry::File(bytes)) => {
            let mut file = entry("file", path, bytes.len());
            // Short lines, as GitHub sends them; of more than a megabyte it sends none.
            let text = STANDARD.encode(bytes);
            let lines: Vec<&str> = text
                .as_bytes()
                .chunks(60)
                .map(|line| std::str::from_utf8(line).unwrap())
                .collect();
            let is_large = bytes.len() > 1024 * 1024;
            file["encoding"] = json!(if is_large { "none" } else { "base64" });
            file["content"] = json!(if is_large {
                String::new()
            } else {
                lines.join("\n") + "\n"
            });
            object(&file)
        }
        Some(Entry::Symlink) => object(&entry("symlink", path, 4)),
        Some(Entry::Submodule) => object(&entry("submodule", path, 0)),
        None if below.is_empty() => Reply::refused(404, "Not Found"),
        None => {
            let mut seen = std::collections::BTreeMap::new();
            for (at, what) in below {
                let rest = &at[path.len() + 1..];
                let (name, kind) = match (rest.split_once('/'), what) {
                    (Some((folder, _)), _) => (folder, "dir"),
                    (None, Entry::Symlink) => (rest, "symlink"),
                    // As GitHub has it.
                    (None, _) => (rest, "file"),
                };
                let mut one = entry(kind, &format!("{path}/{name}"), 1);
                one.as_object_mut().unwrap().remove("content");
                one.as_object_mut().unwrap().remove("encoding");
                if kind == "dir" || matches!(what, Entry::Submodule) {
                    one["download_url"] = Value::Null;
                }
                seen.insert(name.to_owned(), one);
            }
            let mut folder = entry("dir", path, 0);
            folder["entries"] = seen.into_values().collect();
            object(&folder)
        }
    }
}

fn object(body: &Value) -> Reply {
    let mut reply = Reply::json(200, body);
    reply.headers = "Content-Type: application/vnd.github.object+json\r\n".into();
    reply
}
