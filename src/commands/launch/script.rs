//! The batch job of a measurement on Slurm, as text.

use super::{LAST_WORDS, Order, folder::Folder, quoted};

/// Its workers, whose figures nobody reads, as they are those of a part.
///
/// perfgate is the shell's child and hears itself of a wish to stop; the shell waits until the records are written.
const WORKER: &str = r#"shard=$((SLURM_PROCID + 1))
node=${SLURMD_NODENAME:-$(hostname)}
trap : INT TERM
"${@:2}" --shard auto --meet "$1/meeting" --output "$1/shard-$shard.json" >/dev/null 2>"$1/shard-$shard.log"
code=$?
mark=$1/meeting/shard$shard.gone
"#;

/// What a user may not say of the job, as the launcher goes by it: long and short names.
const OURS: [(&str, &str); 10] = [
    ("array", "a"),
    ("chdir", "D"),
    ("error", "e"),
    ("export", ""),
    ("input", "i"),
    ("ntasks", "n"),
    ("output", "o"),
    ("parsable", ""),
    ("wait", "W"),
    ("wrap", ""),
];

/// A further option of `sbatch` as a line of the script has it.
///
/// # Errors
/// It is none, or one that the launcher sets itself; in words.
pub(super) fn option(text: &str) -> Result<String, String> {
    let text = text.trim();
    let given = |what: &str| format!("`{text}` {what}");
    let name = text
        .strip_prefix("--")
        .map(|rest| rest.split(['=', ' ']).next().unwrap_or_default());
    let short = text.strip_prefix('-').and_then(|rest| rest.get(..1));
    let is_one = match (name, short) {
        (Some(name), _) => !name.is_empty(),
        (None, Some(short)) => short != "-" && short != " ",
        _ => false,
    };
    if !is_one || text.contains(char::is_control) {
        return Err(given("is no option of sbatch: write one as in `--partition=gpu`"));
    }
    let is_ours = OURS.iter().any(|(long, own)| match name {
        Some(name) => name == *long,
        None => !own.is_empty() && short == Some(*own),
    });
    if is_ours {
        return Err(given("is what `launch slurm` sets itself; leave it out"));
    }
    // `--time 10:00` are two words, `--comment=a b` is one.
    Ok(match text.split_once(' ') {
        Some((option, value)) if !option.contains('=') => format!("{option} {}", in_directive(value.trim())),
        _ => in_directive(text),
    })
}

/// A word behind `#SBATCH`: a backslash counts within quotes, but saves no blank outside of them.
fn in_directive(word: &str) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-_./=:,@+%[]".contains(sign);
    if word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', r#"\""#))
}

/// The whole script; `options` as [`option`] gives them, `perfgate` the program that all nodes see.
pub(super) fn text(order: &Order<'_>, folder: &Folder, options: &[String], perfgate: &str) -> String {
    let shards = order.shards;
    let dir = folder.path().display().to_string();
    // `%` stands for parts of the job's name there.
    let log = in_directive(&folder.job_log().display().to_string()).replace('%', "%%");
    let options: Vec<String> = options.iter().map(|option| format!("#SBATCH {option}\n")).collect();
    let options = options.concat();
    let plan: Vec<String> = order.words.iter().map(|word| quoted(word)).collect();
    let plan = plan.join(" ");
    let output = quoted(&order.resolved.settings.output.display().to_string());
    let (dir, perfgate, worker) = (quoted(&dir), quoted(perfgate), quoted(&format!("{WORKER}{LAST_WORDS}")));
    format!(
        "\
#!/bin/bash
# Written by `perfgate launch slurm`: {shards} workers, each of which measures its part of one plan.
# By hand: mkdir -p {dir} && sbatch --export=ALL THIS_FILE, and when it is done
# perfgate merge {dir}/shard-*.json --output {output}
#SBATCH --job-name=perfgate
#SBATCH --ntasks={shards}
#SBATCH --ntasks-per-node=1
#SBATCH --no-requeue
#SBATCH --output={log}
{options}
dir={dir}
plan=({perfgate} run {plan})
worker={worker}
trap 'echo ended >\"$dir/end\"' EXIT
mkdir -p \"$dir/meeting\"
# Steps do not take this over from their job by themselves.
[ -z \"${{SLURM_CPUS_PER_TASK-}}\" ] || export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
# A worker that dies leaves the others their time to write down what they have.
srun --ntasks={shards} --kill-on-bad-exit=0 --wait=0 --export=ALL --input=none bash -c \"$worker\" worker \"$dir\" \"${{plan[@]}}\"
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_keep_their_words_and_the_launchers_own_are_refused() {
        for (given, written) in [
            ("--partition=gpu", "--partition=gpu"),
            (" --time 10:00 ", "--time 10:00"),
            ("-p gpu", "-p gpu"),
            ("--exclusive", "--exclusive"),
            ("--comment=it's # 1", "\"--comment=it's # 1\""),
            (r#"--comment=say "a\b""#, r#""--comment=say \"a\\b\"""#),
            ("--nodelist=n[1-4]", "--nodelist=n[1-4]"),
        ] {
            assert_eq!(option(given), Ok(written.to_owned()));
        }
        for bad in [
            "",
            "gpu",
            "--",
            "-",
            "--partition=a\n#SBATCH --x",
            "--ntasks=8",
            "-n8",
            "--array 1-3",
            "-o x",
            "--output=x",
            "--wrap=ls",
        ] {
            assert!(option(bad).is_err(), "{bad}");
        }
        for word in ["a b", "it's", "$(id)", "`id`", ""] {
            assert_eq!(quoted(word), format!("'{}'", word.replace('\'', r"'\''")));
        }
        assert_eq!(quoted("--url=http://h:1"), "--url=http://h:1");
    }
}
