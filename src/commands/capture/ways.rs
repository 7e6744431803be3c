//! How each engine's profiler is told what to record, and where to write.

use std::path::Path;

use serde_json::json;

use crate::plan::{Launch, Profiling};

/// What a server said of itself.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct Engine {
    /// `vllm`, `sglang`.
    pub(in crate::commands) name: Option<String>,
    pub(in crate::commands) version: Option<String>,
}

/// From here on vLLM's profiler is configured by an argument, and no longer by variables.
const VLLM_BY_ARGUMENT: (u64, u64) = (0, 13);

/// The argument.
const VLLM_ARGUMENT: &str = "--profiler-config";

/// Variables by which engines are told where their profiler writes; for vLLM those before 0.13.
const FOLDERS: [&str; 2] = ["VLLM_TORCH_PROFILER_DIR", "SGLANG_TORCH_PROFILER_DIR"];

/// With this word, a wrapper of Nsight records from the profiler's start to its stop only.
const RANGE: &str = "cudaProfilerApi";

impl Engine {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    fn is_vllm_by_argument(&self) -> bool {
        let mut parts = self.version.as_deref().unwrap_or_default().split(['.', '+', '-']);
        let mut number = || parts.next()?.trim_start_matches('v').parse::<u64>().ok();
        self.is("vllm")
            && number()
                .zip(number())
                .is_some_and(|version| version >= VLLM_BY_ARGUMENT)
    }
}

/// Whether the engine's own pages are asked: without a wrapper, and under one that records between them.
pub(super) fn asks_engine(profiling: &Profiling) -> bool {
    profiling.wrapper.is_empty() || marks_range(profiling)
}

fn marks_range(profiling: &Profiling) -> bool {
    profiling.wrapper.iter().any(|word| word.contains(RANGE))
}

/// What `/start_profile` is told, where its engine wants to be told anything; `folder` is where this machine would look.
pub(super) fn body(engine: &Engine, profiling: &Profiling, folder: Option<&Path>) -> Option<String> {
    if !engine.is("sglang") {
        return None;
    }
    if marks_range(profiling) {
        return Some(json!({"activities": ["CUDA_PROFILER"]}).to_string());
    }
    let mut body = json!({
        "activities": ["CPU", "GPU"],
        "num_steps": profiling.steps,
        "with_stack": false,
        "record_shapes": true,
    });
    if let (Some(folder), Some(body)) = (folder, body.as_object_mut()) {
        body.insert("output_dir".to_owned(), folder.to_string_lossy().into());
    }
    Some(body.to_string())
}

/// How a server is started to be profiled: under the wrapper, or with its own profiler told to write into a folder.
pub(super) fn launch(launch: &Launch, profiling: &Profiling, engine: &Engine, out: &Path) -> Launch {
    let folder = out.to_string_lossy();
    let mut command = launch.command.clone();
    command.extend(profiling.args.iter().map(|word| word.replace("{out}", &folder)));
    if let Some(config) = vllm_config(&command, profiling, engine, &folder) {
        command.extend([VLLM_ARGUMENT.to_owned(), config]);
    }
    let mut env = launch.env.clone();
    if profiling.wrapper.is_empty() && !engine.is_vllm_by_argument() {
        let steps = profiling.steps.to_string();
        let folders = FOLDERS.map(|name| (name, folder.as_ref()));
        let more = [
            ("VLLM_TORCH_PROFILER_RECORD_SHAPES", "1"),
            ("VLLM_TORCH_PROFILER_WITH_STACK", "0"),
            ("VLLM_PROFILER_MAX_ITERS", steps.as_str()),
        ];
        for (name, value) in folders.into_iter().chain(more) {
            env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    Launch {
        command: wrapped(command, profiling, out),
        env,
        ..launch.clone()
    }
}

/// The argument of newer vLLMs, where the command is one of vLLM and has none.
///
/// Without stacks: with them, four requests took 139 s to write (vLLM 0.32 on a CPU).
fn vllm_config(command: &[String], profiling: &Profiling, engine: &Engine, folder: &str) -> Option<String> {
    let is_vllm = |word: &String| word.rsplit('/').next() == Some("vllm") || word.starts_with("vllm.entrypoints");
    let has_own = command.iter().any(|word| word.starts_with(VLLM_ARGUMENT));
    if !engine.is_vllm_by_argument() || has_own || !command.iter().any(is_vllm) {
        return None;
    }
    if marks_range(profiling) {
        return Some(json!({"profiler": "cuda"}).to_string());
    }
    let config = json!({
        "profiler": "torch",
        "torch_profiler_dir": folder,
        "torch_profiler_with_stack": false,
        "torch_profiler_record_shapes": true,
        "torch_profiler_with_memory": true,
        "torch_profiler_dump_cuda_time_total": false,
        "ignore_frontend": true,
        "max_iterations": profiling.steps,
    });
    profiling.wrapper.is_empty().then(|| config.to_string())
}

fn wrapped(command: Vec<String>, profiling: &Profiling, out: &Path) -> Vec<String> {
    if profiling.wrapper.is_empty() {
        return command;
    }
    let file = out.join("capture").to_string_lossy().into_owned();
    let words = profiling.wrapper.iter().flat_map(|word| match word.as_str() {
        "{command}" => command.clone(),
        word => vec![word.replace("{out}", &file)],
    });
    words.collect()
}

/// What to do where an engine has no profiler to switch.
pub(super) fn remedy(engine: &Engine) -> &'static str {
    if engine.is("vllm") {
        "start it with `--profiler-config '{\"profiler\": \"torch\", \"torch_profiler_dir\": \"DIR\", \"torch_profiler_with_stack\": \
         false}'` (before 0.13 with `VLLM_TORCH_PROFILER_DIR=DIR`), and give `profile.dir`; where perfgate starts it, `profile.args` \
         takes such arguments with `{out}` for the folder"
    } else {
        "its engine has no profiler that can be switched, or was started without: give `profile.wrapper`, as `nsys profile -o {out} \
         {command}`"
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn engine(name: &str, version: &str) -> Engine {
        Engine {
            name: Some(name.to_owned()),
            version: Some(version.to_owned()),
        }
    }

    fn started(command: &[&str], profiling: &Profiling, engine: &Engine) -> Launch {
        let plain = Launch {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            ready: "/health".into(),
            ..Launch::default()
        };
        launch(&plain, profiling, engine, Path::new("/out"))
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_newer_vllm_is_told_by_an_argument_and_an_older_one_by_variables() {
        let usual = Profiling::default();
        let new = started(&["vllm", "serve", "m"], &usual, &engine("vllm", "0.32.0+cpu"));
        assert_eq!(new.command[..4], ["vllm", "serve", "m", "--profiler-config"]);
        let config: serde_json::Value = serde_json::from_str(&new.command[4]).unwrap();
        assert_eq!(
            (&config["torch_profiler_dir"], &config["max_iterations"]),
            (&json!("/out"), &json!(20))
        );
        assert_eq!(config["torch_profiler_with_stack"], false);
        assert_eq!(new.env, BTreeMap::new());
        let old = started(&["vllm", "serve", "m"], &usual, &engine("vllm", "0.12.1"));
        assert_eq!(old.command, ["vllm", "serve", "m"]);
        assert_eq!(old.env["VLLM_TORCH_PROFILER_DIR"], "/out");
    }

    #[test]
    fn what_the_owner_says_is_not_said_again() {
        let usual = Profiling::default();
        let newer = engine("vllm", "0.13.0");
        let own = started(&["vllm", "serve", "m", "--profiler-config={}"], &usual, &newer);
        assert_eq!(own.command.len(), 4);
        let script = started(&["sh", "serve.sh"], &usual, &newer);
        assert_eq!(
            script.command,
            ["sh", "serve.sh"],
            "an argument that it may not pass on"
        );
        let told = Profiling {
            args: words("--profile-to {out}/x"),
            ..usual
        };
        assert_eq!(
            started(&["sh", "serve.sh"], &told, &newer).command,
            words("sh serve.sh --profile-to /out/x")
        );
    }

    #[test]
    fn a_wrapper_holds_the_whole_command_and_the_engine_is_left_alone() {
        let profiling = Profiling {
            wrapper: words("nsys profile -o {out} {command} --end"),
            ..Profiling::default()
        };
        let launch = started(&["vllm", "serve", "a b"], &profiling, &engine("vllm", "0.32.0"));
        assert_eq!(
            launch.command,
            ["nsys", "profile", "-o", "/out/capture", "vllm", "serve", "a b", "--end"]
        );
        assert_eq!(launch.env, BTreeMap::new());
        assert!(!asks_engine(&profiling));
        let range = Profiling {
            wrapper: words("nsys profile --capture-range=cudaProfilerApi -o {out} {command}"),
            ..Profiling::default()
        };
        let launch = started(&["vllm", "serve", "m"], &range, &engine("vllm", "0.32.0"));
        assert_eq!(launch.command.last().unwrap(), r#"{"profiler":"cuda"}"#);
        assert!(asks_engine(&range));
        assert_eq!(
            body(&engine("sglang", "0.5"), &range, None).unwrap(),
            r#"{"activities":["CUDA_PROFILER"]}"#
        );
    }

    #[test]
    fn sglang_is_told_in_the_body_and_others_are_not() {
        let usual = Profiling::default();
        let body_of = |name: &str| body(&engine(name, "1"), &usual, Some(Path::new("/out")));
        let told: serde_json::Value = serde_json::from_str(&body_of("sglang").unwrap()).unwrap();
        assert_eq!(told["output_dir"], "/out");
        assert_eq!((&told["num_steps"], &told["with_stack"]), (&json!(20), &json!(false)));
        assert_eq!((body_of("vllm"), body_of("perfgate-sim")), (None, None));
    }
}
