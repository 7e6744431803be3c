//! A GitHub on this machine: it keeps what is written, fails as it is told to, and holds each request against GitHub's own
//! description of its API.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    thread,
};

use serde_json::{Value, json};

use super::routes;

/// The token that the fake accepts.
pub(super) const TOKEN: &str = "ghs_canary0token1";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    /// By lower-case name.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

/// What goes wrong, and when.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) method: &'static str,
    /// A part of the path.
    pub(super) path: &'static str,
    /// 0: the connection is dropped.
    pub(super) status: u16,
    pub(super) times: usize,
    /// Whether what was asked for happens all the same.
    pub(super) is_after: bool,
    pub(super) headers: String,
    pub(super) message: &'static str,
}

/// One failure without an effect.
pub(super) fn fail(method: &'static str, path: &'static str, status: u16) -> Fault {
    Fault {
        method,
        path,
        status,
        times: 1,
        is_after: false,
        headers: String::new(),
        message: "planted",
    }
}

/// A file of a commit, as the contents API speaks of it.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    File(Vec<u8>),
    Symlink,
    Submodule,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) comments: Vec<Value>,
    pub(super) pulls: Vec<Value>,
    pub(super) checks: Vec<Value>,
    pub(super) statuses: Vec<Value>,
    pub(super) files: BTreeMap<String, Entry>,
    /// Messages of the commits that a head brings, oldest first.
    pub(super) messages: Vec<String>,
    pub(super) log: Vec<Seen>,
    pub(super) faults: Vec<Fault>,
    /// What broke GitHub's description.
    pub(super) violations: Vec<String>,
    /// Login and type of whoever holds the token.
    pub(super) me: (&'static str, &'static str),
    /// So many lists of comments do not show the newest ones yet: those with this id and higher.
    pub(super) lag: (usize, u64),
    /// From its nth reading on a pull request has this head.
    pub(super) moves: Option<(usize, String)>,
    pub(super) next_id: u64,
    pub(super) public: String,
    pub(super) prefix: &'static str,
    pub(super) token: String,
}

pub(super) struct Fake {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: "Content-Type: application/json\r\n".into(),
            body: body.to_string().into_bytes(),
        }
    }

    pub(super) fn refused(status: u16, message: &str) -> Self {
        Self::json(
            status,
            &json!({"message": message, "documentation_url": "https://docs.github.com"}),
        )
    }
}

impl Fake {
    pub(super) fn start() -> Self {
        Self::with_prefix("")
    }

    /// GitHub Enterprise Server has its API below `/api/v3`.
    pub(super) fn with_prefix(prefix: &'static str) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), prefix, None)
    }

    /// On a listener of one's own; `public` is the address that clients know it by.
    pub(super) fn on(listener: TcpListener, prefix: &'static str, public: Option<String>) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            comments: Vec::new(),
            pulls: Vec::new(),
            checks: Vec::new(),
            statuses: Vec::new(),
            files: BTreeMap::new(),
            messages: Vec::new(),
            log: Vec::new(),
            faults: Vec::new(),
            violations: Vec::new(),
            me: ("github-actions[bot]", "Bot"),
            lag: (0, u64::MAX),
            moves: None,
            next_id: 1000,
            public: public.unwrap_or_else(|| url.clone()),
            prefix,
            token: TOKEN.into(),
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                // A client that hangs up is part of some tests.
                thread::spawn(move || serve(stream.unwrap(), &shared).ok());
            }
        });
        Self { url, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn plant(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Writes a comment as somebody; gives its id.
    pub(super) fn seed(&self, login: &str, kind: &str, body: &str) -> u64 {
        self.state().comment(login, kind, body)
    }

    /// `METHOD path` of each request so far, without queries.
    pub(super) fn requests(&self) -> Vec<String> {
        let plain = |seen: &Seen| format!("{} {}", seen.method, seen.path.split('?').next().unwrap());
        self.state().log.iter().map(plain).collect()
    }

    pub(super) fn bodies(&self) -> Vec<String> {
        let all = &self.state().comments;
        all.iter()
            .map(|comment| comment["body"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Nothing that arrived broke GitHub's description, and the token went nowhere but into its header.
    pub(super) fn check(&self) {
        let state = self.state();
        assert_eq!(state.violations, Vec::<String>::new());
        for seen in &state.log {
            assert!(!seen.path.contains(TOKEN) && !seen.body.to_string().contains(TOKEN));
            assert_eq!(seen.headers["x-github-api-version"], "2022-11-28");
            assert!(
                seen.headers["accept"].starts_with("application/vnd.github"),
                "{:?}",
                seen.headers
            );
        }
    }
}

impl State {
    pub(super) fn comment(&mut self, login: &str, kind: &str, body: &str) -> u64 {
        self.next_id += 1;
        let mut comment = example("issue-comment");
        comment["id"] = json!(self.next_id);
        comment["node_id"] = json!(format!("IC_{}", self.next_id));
        comment["body"] = json!(body);
        comment["user"]["login"] = json!(login);
        comment["user"]["type"] = json!(kind);
        self.comments.push(comment);
        self.next_id
    }

    pub(super) fn fault(&mut self, seen: &Seen) -> Option<Fault> {
        let hit = |fault: &&mut Fault| fault.times > 0 && fault.method == seen.method && seen.path.contains(fault.path);
        let fault = self.faults.iter_mut().find(hit)?;
        fault.times -= 1;
        Some(fault.clone())
    }
}

/// GitHub's description of its API, as far as we use it.
pub(super) fn description() -> &'static Value {
    static READ: OnceLock<Value> = OnceLock::new();
    READ.get_or_init(|| serde_json::from_str(include_str!("../../contract/gh-openapi-cut.json")).unwrap())
}

/// One of its examples.
pub(super) fn example(name: &str) -> Value {
    description()["components"]["examples"][name]["value"].clone()
}

fn serve(stream: TcpStream, shared: &Mutex<State>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(seen) = read_request(&mut reader)? {
        let reply = {
            let mut state = shared.lock().unwrap();
            state.log.push(seen.clone());
            routes::answer(&mut state, &seen)
        };
        let Some(reply) = reply else { return Ok(()) };
        let head = format!(
            "HTTP/1.1 {} x\r\n{}Content-Length: {}\r\n\r\n",
            reply.status,
            reply.headers,
            reply.body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&reply.body)?;
    }
    Ok(())
}

fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).unwrap()
    };
    Ok(Some(Seen {
        method,
        path,
        headers,
        body,
    }))
}
