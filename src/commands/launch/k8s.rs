//! `perfgate launch k8s`: an indexed job with a pod for each shard, from its objects to the session of the whole.

use std::{
    fs, process, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    Order,
    folder::Folder,
    gather::{self, End},
    inputs,
    kubectl::{self, Job, Kubectl, Pod},
    manifest::Objects,
};
use crate::{
    commands::{CommandError, Console, Done, gone, present::Screen},
    load::Interrupt,
    store,
};

/// Between two looks at whether somebody wants this to end.
const TICK: Duration = Duration::from_millis(200);
/// Between two questions to the cluster: at first, and at last.
const FIRST_QUESTION: Duration = Duration::from_secs(1);
const LAST_QUESTION: Duration = Duration::from_secs(10);

/// In which cluster, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `None`: that of the current context.
    pub namespace: Option<&'a str>,
    /// Has perfgate and a shell.
    pub image: &'a str,
    /// A claim that many pods may write at once.
    pub claim: &'a str,
    /// The Secret that has the keys.
    pub secret: &'a str,
    /// Cores that a pod asks for.
    pub cpus: &'a str,
    /// Variables of this process that move the plan.
    pub variables: &'a [(String, String)],
}

/// Deletes what is under way, if anything: for who wants this process to end at once.
pub fn delete_under_way() {
    kubectl::delete_under_way();
}

/// The objects, of which none is created.
///
/// # Errors
/// A name that cannot be, a file that no pod could have, or a secret in the plan.
pub fn manifest(order: &Order<'_>, asked: Asked<'_>) -> Result<String, CommandError> {
    with_objects(order, asked, |objects| text(order, objects))
}

/// Creates the objects, waits for the job, fetches and merges what its pods measured, and deletes all of it.
///
/// Exit code 0, or 4 where the whole is invalid.
///
/// # Errors
/// The objects cannot be created, or their pods left nothing that is a whole.
pub fn launch(
    order: &Order<'_>,
    asked: Asked<'_>,
    screen: Screen,
    (console, interrupt): (&dyn Console, &Interrupt),
) -> Result<Done, CommandError> {
    with_objects(order, asked, |objects| {
        let output = &order.resolved.settings.output;
        let text = text(order, objects)?;
        store::claim_output(output)?;
        let folder = Folder::new(None, output)?;
        folder.make()?;
        let cluster = Cluster {
            kubectl: Kubectl {
                namespace: asked.namespace,
            },
            objects,
            folder: &folder,
            console,
        };
        let end = cluster.measure(&text, interrupt);
        console.end();
        let end = end.map_err(|error| cluster.given_up(error))?;
        gather::gather(order, (&folder, &end), screen, console)
    })
}

fn text(order: &Order<'_>, objects: &Objects<'_>) -> Result<String, CommandError> {
    let text = objects.text();
    order.guard.pass("the job's objects", &text)?;
    Ok(text)
}

fn with_objects<T>(
    order: &Order<'_>,
    asked: Asked<'_>,
    work: impl FnOnce(&Objects<'_>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    for (flag, name) in [
        ("claim", Some(asked.claim)),
        ("secret", Some(asked.secret)),
        ("namespace", asked.namespace),
    ] {
        if let Some(name) = name.filter(|name| !is_name(name)) {
            return Err(CommandError::Usage(format!(
                "--{flag}: `{name}` is no name of an object: small letters, digits, `-` and `.`"
            )));
        }
    }
    let inputs = inputs::of(order.resolved)?;
    inputs::fit(&inputs)?;
    let mut words = order.words.to_vec();
    if order.resolved.settings.file.is_some() {
        words.insert(0, format!("--config={}", inputs::CONFIG));
    }
    let mut keys: Vec<String> = order
        .resolved
        .secret_variables()
        .map(|(_, name)| name.to_owned())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    work(&Objects {
        order: &Order {
            words: &words,
            ..*order
        },
        name: &format!("perfgate-{now_s}-{}", process::id()),
        namespace: asked.namespace,
        image: asked.image,
        claim: asked.claim,
        secret: asked.secret,
        keys: &keys,
        variables: asked.variables,
        inputs: &inputs,
        cpus: asked.cpus,
    })
}

/// As Kubernetes has names of most objects.
fn is_name(text: &str) -> bool {
    let is_inner = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'-' || sign == b'.';
    let ends = |sign: Option<&u8>| sign.is_some_and(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() < 254 && bytes.iter().all(|sign| is_inner(*sign)) && ends(bytes.first()) && ends(bytes.last())
}

/// A measurement in a cluster.
struct Cluster<'a> {
    kubectl: Kubectl<'a>,
    objects: &'a Objects<'a>,
    /// Where what is fetched lies here.
    folder: &'a Folder,
    console: &'a dyn Console,
}

impl Cluster<'_> {
    fn measure(&self, text: &str, interrupt: &Interrupt) -> Result<End, CommandError> {
        let name = self.objects.name;
        let owned = [self.job(), format!("configmap/{name}"), self.reader()];
        self.kubectl.remember(&owned.each_ref().map(String::as_str));
        self.kubectl.create(text, &self.folder.path().join("job.yaml"))?;
        self.console.say(&format!("job {name} created"));
        let job = self.until_over(interrupt)?;
        self.logs();
        if interrupt.is_set() {
            self.console.say("interrupted: the workers are asked to stop");
            // Pods have half a minute to write down what they have.
            self.kubectl.delete(&[&self.job()])?;
        }
        self.kubectl
            .create(&self.objects.reader(), &self.folder.path().join("reader.yaml"))?;
        self.kubectl.wait_for(&self.objects.reader_name())?;
        self.fetch()?;
        self.delete();
        let failed = job.over.filter(|over| over != "Complete");
        Ok(End {
            is_interrupted: interrupt.is_set(),
            job: failed.map(|over| format!("job {name}: {over}")),
        })
    }

    fn job(&self) -> String {
        format!("job/{}", self.objects.name)
    }

    fn reader(&self) -> String {
        format!("pod/{}", self.objects.reader_name())
    }

    /// Waits for the job, and tells the pods of those that died and could not say so.
    fn until_over(&self, interrupt: &Interrupt) -> Result<Job, CommandError> {
        let (mut question, mut pause) = (Instant::now(), FIRST_QUESTION);
        let (mut told, mut marked) = (String::new(), Vec::new());
        let mut is_deaf = false;
        loop {
            if interrupt.is_set() {
                return Ok(Job::default());
            }
            if Instant::now() < question {
                thread::sleep(TICK);
                continue;
            }
            match self.look(&mut marked) {
                Ok((Job { over: Some(over), .. }, _)) => {
                    return Ok(Job {
                        over: Some(over),
                        ..Job::default()
                    });
                }
                Ok((job, waiting)) => {
                    let shards = self.objects.order.shards;
                    let waiting = waiting.map_or_else(String::new, |why| format!(", waiting: {why}"));
                    let now = format!(
                        "job {}: {} of {shards} pods are there, {} have ended{waiting}",
                        self.objects.name, job.active, job.ended
                    );
                    if now != told {
                        self.console.doing(&now);
                        told = now;
                    }
                }
                Err(error) if kubectl::is_gone(&error) => {
                    return Ok(Job {
                        over: Some("somebody else deleted it".to_owned()),
                        ..Job::default()
                    });
                }
                Err(error) if !is_deaf => {
                    is_deaf = true;
                    self.console.warn(&format!("{error}; waiting goes on"));
                }
                Err(_) => {}
            }
            question = Instant::now() + pause;
            pause = (pause * 3 / 2).min(LAST_QUESTION);
        }
    }

    fn look(&self, marked: &mut Vec<u32>) -> Result<(Job, Option<String>), CommandError> {
        let job = self.kubectl.job(self.objects.name)?;
        let pods = self.kubectl.pods(self.objects.name)?;
        for pod in &pods {
            let Some(how) = pod.died.as_ref().filter(|_| !marked.contains(&pod.index)) else {
                continue;
            };
            gone::say(&self.folder.meeting(), pod.index, how);
            if pods
                .iter()
                .filter(|other| other.is_running)
                .any(|other| self.mark(other, pod.index, how))
            {
                marked.push(pod.index);
            }
        }
        Ok((job, kubectl::waiting(&pods)))
    }

    /// Leaves word of a dead pod through one that runs.
    fn mark(&self, through: &Pod, index: u32, how: &str) -> bool {
        let mark = format!("{}/meeting/shard{}.gone", self.objects.folder(), index + 1);
        let script = r#"[ -e "$1" ] || { echo "$2" >"$1.new" && mv "$1.new" "$1"; }"#;
        self.kubectl
            .exec(&through.name, &["sh", "-c", script, "mark", &mark, how])
            .is_ok()
    }

    /// What the pods said, while they are there to be asked.
    fn logs(&self) {
        for pod in self.kubectl.pods(self.objects.name).unwrap_or_default() {
            if let Some(log) = self.kubectl.log(&pod.name) {
                // It is for people, who are told that there is none.
                let _ = fs::write(self.folder.log(pod.index), log);
            }
        }
    }

    /// Brings sessions and marks here, and empties the folder there.
    fn fetch(&self) -> Result<(), CommandError> {
        let (reader, folder) = (self.objects.reader_name(), self.objects.folder());
        let script = r#"cd "$1" && for file in shard-*.json meeting/*.gone; do [ ! -f "$file" ] || echo "$file"; done"#;
        let list = self.kubectl.exec(&reader, &["sh", "-c", script, "list", &folder])?;
        let own = |name: &&str| {
            let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-._".contains(sign);
            let name = name.strip_prefix("meeting/").unwrap_or(name);
            name.starts_with("shard") && name.chars().all(is_plain)
        };
        for name in list.lines().filter(own) {
            self.console.doing(&format!("fetching `{name}`"));
            let from = format!("{folder}/{name}");
            self.kubectl.fetch(&reader, &from, &self.folder.path().join(name))?;
        }
        self.kubectl.exec(&reader, &["rm", "-rf", &folder]).map(drop)
    }

    /// Deletes what was created, where the measurement came to nothing here.
    fn given_up(&self, error: CommandError) -> CommandError {
        // Nothing of the pods is in it.
        let _ = self.folder.remove();
        match error {
            CommandError::Launch(why) => {
                self.delete();
                let (name, claim) = (self.objects.name, self.objects.claim);
                CommandError::Launch(format!(
                    "{why}; what the pods left, if anything, is in the folder `{name}` of the claim `{claim}`"
                ))
            }
            // There is no kubectl to delete anything.
            error => error,
        }
    }

    /// Deletes what was created.
    fn delete(&self) {
        let map = format!("configmap/{}", self.objects.name);
        if let Err(error) = self.kubectl.delete(&[&self.job(), &map, &self.reader()]) {
            self.console
                .warn(&format!("`{}` may be left over: {error}", self.objects.name));
        }
        self.kubectl.remember(&[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        assert!(["a", "shared-1", "a.b"].into_iter().all(is_name));
        assert!(!["", "A", "a_b", "-a", "a-", "a b", "a\nb"].into_iter().any(is_name));
    }
}
