//! `perfgate launch`: shares a plan out over the workers of an engine of jobs that a team already runs, and merges what they measured.
//!
//! | file | what lives there |
//! |---|---|
//! | `slurm.rs` | submit, wait, merge: the verb for Slurm |
//! | `script.rs` | what its batch job does, as text |
//! | `queue.rs` | `sbatch`, `squeue` and `scancel` |
//! | `task_ends.rs` | what `srun` says of workers that died |
//! | `k8s.rs` | create, wait, fetch, merge, delete: the verb for Kubernetes |
//! | `manifest.rs` `yaml.rs` | its objects, as text |
//! | `inputs.rs` | the plan's files, for pods |
//! | `kubectl.rs` | objects created, looked at, reached into, deleted |
//! | `folder.rs` | where the shards meet and leave their sessions |
//! | `gather.rs` | their sessions, why one is lost, and the whole |
//! | `program.rs` | another program's answer within a time |

mod folder;
mod gather;
mod inputs;
pub mod k8s;
mod kubectl;
mod manifest;
mod program;
mod queue;
mod script;
pub mod slurm;
mod task_ends;
mod yaml;

use super::guard::Guard;
use crate::config::Resolved;

/// A plan, and over how many workers it is shared out.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// What is measured, and where to the session of the whole goes.
    pub resolved: &'a Resolved,
    /// What a worker is told after `perfgate run`, to come to the same plan.
    pub words: &'a [String],
    /// How many there are.
    pub shards: u32,
    /// What must stand in no script and no log.
    pub guard: &'a Guard,
}

impl Order<'_> {
    /// Runs of the whole plan.
    fn runs(&self) -> usize {
        self.resolved.plan.loads.len() * self.resolved.plan.repeats as usize
    }
}

/// The last that a worker's shell does, which then knows `$code` of perfgate, its own `$node`, and the `$mark` of a shard that is gone:
/// how it ended is left there where it ended badly and did not say so itself, so that nobody waits for it.
const LAST_WORDS: &str = r#"if [ "$code" -ne 0 ] && [ ! -e "$mark" ]; then
    how="exit code $code"
    [ "$code" -le 128 ] || how="signal $((code - 128))"
    echo "$how on $node" >"$mark.new" && mv "$mark.new" "$mark"
fi
exit "$code"
"#;

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-_./=:,@+%".contains(sign);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
