//! `kubectl`: objects created, looked at, reached into, deleted.

use std::{
    fmt::Write,
    fs::{self, File},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;

use super::program::{self, Said};
use crate::commands::CommandError;

/// What is deleted when this process must end at once: the words of one call.
static UNDER_WAY: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// How long a file may take on its way here.
const FETCH_LIMIT: Duration = Duration::from_secs(600);

/// The cluster of the current context, in one namespace.
pub(super) struct Kubectl<'a> {
    pub(super) namespace: Option<&'a str>,
}

/// A worker as its pod shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) name: String,
    /// Which shard it is, from 0.
    pub(super) index: u32,
    pub(super) is_running: bool,
    /// How it ended, where that was not well (`OOMKilled, exit code 137 on node-3`).
    pub(super) died: Option<String>,
    /// Why it has not begun.
    pub(super) waits: Option<String>,
}

/// How a job stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) active: u64,
    pub(super) ended: u64,
    /// `Complete`, or `Failed` with the reason.
    pub(super) over: Option<String>,
}

impl Kubectl<'_> {
    /// Creates objects from text, which are new.
    ///
    /// # Errors
    /// `kubectl` is not there, or the cluster refuses.
    pub(super) fn create(&self, text: &str, file: &Path) -> Result<(), CommandError> {
        fs::write(file, text).map_err(|source| CommandError::File {
            what: "write",
            path: file.to_owned(),
            source,
        })?;
        self.done(&["create", "--filename", &file.to_string_lossy()]).map(drop)
    }

    /// How the job stands.
    ///
    /// # Errors
    /// The cluster does not tell.
    pub(super) fn job(&self, name: &str) -> Result<Job, CommandError> {
        let said = self.done(&["get", "job", name, "--output=json"])?;
        Ok(serde_json::from_str(&said).map_or_else(|_| Job::default(), |value| job_of(&value)))
    }

    /// Its workers, by shard.
    ///
    /// # Errors
    /// The cluster does not tell.
    pub(super) fn pods(&self, name: &str) -> Result<Vec<Pod>, CommandError> {
        let selector = format!("--selector=batch.kubernetes.io/job-name={name}");
        let said = self.done(&["get", "pods", &selector, "--output=json"])?;
        Ok(serde_json::from_str(&said).map_or_else(|_| Vec::new(), |value| pods_of(&value)))
    }

    /// Waits until a pod can be reached into.
    ///
    /// # Errors
    /// It does not come up.
    pub(super) fn wait_for(&self, pod: &str) -> Result<(), CommandError> {
        let pod = format!("pod/{pod}");
        self.done(&["wait", "--for=condition=Ready", &pod, "--timeout=100s"])
            .map(drop)
    }

    /// Runs a program in a pod, and gives what it printed.
    ///
    /// # Errors
    /// It failed, or the pod is not there.
    pub(super) fn exec(&self, pod: &str, words: &[&str]) -> Result<String, CommandError> {
        self.done(&[&["exec", pod, "--"], words].concat())
    }

    /// Copies a file of a pod here.
    ///
    /// # Errors
    /// It cannot be read there, or written here.
    pub(super) fn fetch(&self, pod: &str, from: &str, to: &Path) -> Result<(), CommandError> {
        let failed = |source| CommandError::File {
            what: "write",
            path: to.to_owned(),
            source,
        };
        let file = File::create(to).map_err(failed)?;
        let words = self.words(&["exec", pod, "--", "cat", from]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = program::call_into("kubectl", &words, file, FETCH_LIMIT).map_err(|error| none(&error))?;
        well(said, "exec").map(drop)
    }

    /// What a worker said last.
    pub(super) fn log(&self, pod: &str) -> Option<String> {
        self.done(&["logs", pod, "--tail=50"]).ok()
    }

    /// Deletes objects and waits until they are gone, each `kind/name`.
    ///
    /// # Errors
    /// The cluster refuses.
    pub(super) fn delete(&self, objects: &[&str]) -> Result<(), CommandError> {
        let own = ["delete", "--ignore-not-found", "--cascade=foreground", "--timeout=100s"];
        self.done(&[&own, objects].concat()).map(drop)
    }

    /// Has objects deleted should this process have to end at once; none: nothing is left to delete.
    pub(super) fn remember(&self, objects: &[&str]) {
        let own = ["delete", "--ignore-not-found", "--wait=false"];
        *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner) = match objects {
            [] => Vec::new(),
            objects => self.words(&[&own, objects].concat()),
        };
    }

    fn done(&self, words: &[&str]) -> Result<String, CommandError> {
        let verb = words.first().copied().unwrap_or_default();
        let words = self.words(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = program::call("kubectl", &words).map_err(|error| none(&error))?;
        well(said, verb)
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        let namespace = self.namespace.map(|name| format!("--namespace={name}"));
        let own = words.iter().map(|word| (*word).to_owned());
        namespace.into_iter().chain(own).collect()
    }
}

/// Whether the cluster says that something is not there.
pub(super) fn is_gone(error: &CommandError) -> bool {
    matches!(error, CommandError::Launch(why) if why.contains("(NotFound)"))
}

/// Deletes what is under way, if anything: for who wants this process to end at once.
pub(super) fn delete_under_way() {
    let words = std::mem::take(&mut *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner));
    if !words.is_empty() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let _ = program::call("kubectl", &words);
    }
}

fn well(said: Said, verb: &str) -> Result<String, CommandError> {
    if said.is_well {
        return Ok(said.text);
    }
    let trouble = said.trouble.lines().collect::<Vec<_>>().join("; ");
    Err(CommandError::Launch(format!("kubectl {verb}: {trouble}")))
}

fn none(error: &std::io::Error) -> CommandError {
    CommandError::Usage(format!(
        "`kubectl` cannot be started ({error}): install it and choose a cluster, or have `--dry-run` print the objects for \
         `kubectl apply --filename -` elsewhere"
    ))
}

fn text<'a>(value: &'a Value, at: &str) -> Option<&'a str> {
    value.pointer(at)?.as_str().filter(|text| !text.is_empty())
}

fn job_of(value: &Value) -> Job {
    let count = |name: &str| {
        value
            .pointer(&format!("/status/{name}"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
    let over = conditions.into_iter().flatten().find_map(|condition| {
        let kind = text(condition, "/type").filter(|kind| ["Complete", "Failed"].contains(kind))?;
        (text(condition, "/status")? == "True").then(|| match text(condition, "/reason") {
            Some(reason) if kind == "Failed" => format!("{kind}, {reason}"),
            _ => kind.to_owned(),
        })
    });
    Job {
        active: count("active"),
        ended: count("succeeded") + count("failed"),
        over,
    }
}

fn pods_of(value: &Value) -> Vec<Pod> {
    let items = value.pointer("/items").and_then(Value::as_array);
    let mut pods: Vec<Pod> = items.into_iter().flatten().filter_map(pod_of).collect();
    pods.sort_by_key(|pod| pod.index);
    pods
}

fn pod_of(value: &Value) -> Option<Pod> {
    let index = value.pointer("/metadata/annotations/batch.kubernetes.io~1job-completion-index")?;
    let node = text(value, "/spec/nodeName").unwrap_or("no node");
    let state = value
        .pointer("/status/containerStatuses/0/state")
        .unwrap_or(&Value::Null);
    let code = state.pointer("/terminated/exitCode").and_then(Value::as_i64);
    let mut died = code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
    if let (Some(how), Some(reason)) = (
        &mut died,
        text(state, "/terminated/reason").filter(|reason| *reason != "Error"),
    ) {
        *how = format!("{reason}, {how}");
    }
    let died = died.or_else(|| {
        // Evicted, or its node is gone: no container tells.
        let phase = text(value, "/status/phase")? == "Failed";
        phase.then(|| text(value, "/status/reason").unwrap_or("Failed").to_owned())
    });
    let unscheduled = || {
        let conditions = value.pointer("/status/conditions")?.as_array()?;
        let refused = conditions.iter().find(|condition| {
            text(condition, "/type") == Some("PodScheduled") && text(condition, "/status") == Some("False")
        })?;
        text(refused, "/message").or_else(|| text(refused, "/reason"))
    };
    Some(Pod {
        name: text(value, "/metadata/name")?.to_owned(),
        index: index.as_str()?.parse().ok()?,
        is_running: state.get("running").is_some(),
        died: died.map(|how| format!("{how} on {node}")),
        waits: text(state, "/waiting/reason").or_else(unscheduled).map(str::to_owned),
    })
}

/// What pods that have not begun wait for, each reason once.
pub(super) fn waiting(pods: &[Pod]) -> Option<String> {
    let mut told = String::new();
    let mut seen: Vec<&str> = Vec::new();
    for why in pods.iter().filter_map(|pod| pod.waits.as_deref()) {
        if !seen.contains(&why) {
            let _ = write!(told, "{}{why}", if seen.is_empty() { "" } else { "; " });
            seen.push(why);
        }
    }
    (!told.is_empty()).then_some(told)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn jobs_and_pods_are_read_as_kubernetes_tells_of_them() {
        let status = json!({"status": {"active": 1, "succeeded": 2, "failed": 1, "conditions": [
            {"type": "FailureTarget", "status": "True", "reason": "FailedIndexes"},
            {"type": "Complete", "status": "False"},
        ]}});
        let job = job_of(&status);
        assert_eq!((job.active, job.ended, job.over), (1, 3, None));
        let failed =
            json!({"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "FailedIndexes"}]}});
        assert_eq!(job_of(&failed).over.as_deref(), Some("Failed, FailedIndexes"));
        let pod = |index: &str, status: Value| {
            json!({"metadata": {"name": format!("p-{index}"), "annotations": {"batch.kubernetes.io/job-completion-index": index}},
                "spec": {"nodeName": "node-3"}, "status": status})
        };
        let state = |state: Value| json!({"containerStatuses": [{"state": state}]});
        let pods = pods_of(&json!({"items": [
            pod("2", state(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}))),
            pod("0", state(json!({"running": {}}))),
            pod("1", state(json!({"waiting": {"reason": "ImagePullBackOff"}}))),
            pod("3", json!({"phase": "Failed", "reason": "Evicted"})),
            pod("4", json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]})),
            pod("5", state(json!({"terminated": {"exitCode": 4, "reason": "Error"}}))),
            pod("6", state(json!({"terminated": {"exitCode": 0, "reason": "Completed"}}))),
            {"metadata": {"name": "stranger"}},
        ]}));
        let died: Vec<Option<&str>> = pods.iter().map(|pod| pod.died.as_deref()).collect();
        assert_eq!(
            died,
            [
                None,
                None,
                Some("OOMKilled, exit code 137 on node-3"),
                Some("Evicted on node-3"),
                None,
                Some("exit code 4 on node-3"),
                None
            ]
        );
        assert!(pods[0].is_running && !pods[1].is_running);
        assert_eq!(
            waiting(&pods).as_deref(),
            Some("ImagePullBackOff; 0/3 nodes are available")
        );
    }
}
