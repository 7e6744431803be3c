"""Runs a composite action, or the `run` steps of a job, as GitHub's runner does: one script at a time, with the documented
environment and files, and with nothing of this machine's environment that a runner would not have."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)
# Two parsers of the runner: a command at the start of a line, and an old form anywhere in it.
COMMAND = re.compile(r"^\s*::([a-z-]+)( [^:]*)?::(.*)$")
OLD_COMMAND = re.compile(r"##\[([a-z-]+)\]")


@dataclass
class Ended:
    """What an action left behind."""

    ok: bool
    outputs: dict
    log: str
    summary: str
    path: list
    env: dict
    codes: dict
    seconds: float
    commands: list = field(default_factory=list)

    def errors(self):
        return [text for name, text in self.commands if name == "error"]

    def warnings(self):
        return [text for name, text in self.commands if name == "warning"]


def read(path):
    return YAML(typ="safe").load(Path(path).read_text())


def value(expression, contexts):
    """`a.b.c`, `'text'`, `a || b`, `a == b`, `a != b`, `always()`, `!cancelled()`: all that our files use; else an error."""
    if expression.strip() in ("always()", "!cancelled()"):
        return True
    for operator, apply in (("||", lambda a, b: a or b), ("!=", lambda a, b: a != b), ("==", lambda a, b: a == b)):
        if operator in expression:
            left, right = expression.split(operator, 1)
            return apply(value(left, contexts), value(right, contexts))
    expression = expression.strip()
    if expression.startswith("'"):
        return expression.strip("'")
    if not re.fullmatch(r"[\w.-]+", expression):
        raise ValueError(f"the test's runner cannot evaluate `{expression}`")
    found = contexts
    for part in expression.split("."):
        found = found.get(part, "") if isinstance(found, dict) else ""
    return found


def expand(text, contexts):
    return EXPRESSION.sub(lambda match: str(value(match[1], contexts)), str(text))


def parse_pairs(text):
    """GITHUB_OUTPUT and GITHUB_ENV: `name=value`, or `name<<delimiter` up to the delimiter."""
    pairs, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        heredoc = re.match(r"^([^=<]+)<<(.+)$", line)
        if heredoc:
            parts = []
            for part in lines:
                if part == heredoc[2]:
                    break
                parts.append(part)
            else:
                raise ValueError(f"`{heredoc[2]}` does not close")
            pairs[heredoc[1]] = "\n".join(parts)
        elif "=" in line:
            name, _, text = line.partition("=")
            pairs[name] = text
        else:
            raise ValueError(f"no pair: `{line}`")
    return pairs


class Job:
    """A job on one machine: its environment goes from step to step."""

    def __init__(self, folder, workspace, env, tools=None):
        self.folder = Path(folder)
        self.temp = self.folder / "temp"
        self.token, self.action_repository = "", ""
        self.groups = []
        self.workspace = Path(workspace)
        for part in (self.temp, self.folder / "files", self.workspace):
            part.mkdir(parents=True, exist_ok=True)
        self.env = {
            "CI": "true",
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_API_URL": "https://api.github.com",
            "GITHUB_GRAPHQL_URL": "https://api.github.com/graphql",
            "GITHUB_REPOSITORY": "acme/server",
            "GITHUB_ACTOR": "alice",
            "GITHUB_JOB": "measure",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_NUMBER": "12",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKFLOW": "perf",
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "RUNNER_NAME": "gpu-1",
            "RUNNER_ENVIRONMENT": "self-hosted",
            "RUNNER_TEMP": str(self.temp),
            "RUNNER_TOOL_CACHE": str(self.folder / "tools"),
            **env,
        }
        Path(self.env["HOME"]).mkdir(exist_ok=True)
        if tools:
            self.env["PATH"] = f"{tools}:{self.env['PATH']}"

    def step(self, script, env, directory):
        """One `run` step; gives its exit code, its log and what it wrote to the runner's files."""
        files = {name: Path(tempfile.mkstemp(dir=self.folder / "files")[1]) for name in ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY")}
        script_file = Path(tempfile.mkstemp(dir=self.folder / "files", suffix=".sh")[1])
        script_file.write_text(script)
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script_file)],
            cwd=directory,
            env={**self.env, **{f"GITHUB_{name}": str(path) for name, path in files.items()}, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.groups.append(process.pid)
        log, _ = process.communicate(timeout=600)
        wrote = {name: path.read_text() for name, path in files.items()}
        self.env.update(parse_pairs(wrote["ENV"]))
        paths = wrote["PATH"].splitlines()
        for path in paths:
            self.env["PATH"] = f"{path}:{self.env['PATH']}"
        return process.returncode, log.decode(errors="replace"), wrote, paths

    def end(self):
        """What the steps left running ends with the job."""
        for group in self.groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.groups.clear()

    def use(self, action, inputs):
        """The composite action of a folder, with inputs as under `with:`."""
        action = Path(action)
        about = read(action / "action.yml")
        unknown = set(inputs) - set(about["inputs"])
        if unknown:
            raise ValueError(f"action.yml knows no {unknown}")
        github = {
            "token": self.token,
            "repository": self.env["GITHUB_REPOSITORY"],
            "action_repository": self.action_repository,
        }
        contexts = {"github": github, "steps": {}}
        defaults = {name: expand(given.get("default", ""), contexts) for name, given in about["inputs"].items()}
        contexts["inputs"] = {**defaults, **inputs}
        started = time.monotonic()
        ended = Ended(True, {}, "", "", [], {}, {}, 0.0)
        for step in about["runs"]["steps"]:
            if not ended.ok or not value(step.get("if", "'always'"), contexts):
                continue
            env = {name: expand(text, contexts) for name, text in step.get("env", {}).items()}
            directory = self.workspace / expand(step.get("working-directory", "."), contexts)
            env["GITHUB_ACTION_PATH"] = str(action)
            code, log, wrote, paths = self.step(step["run"], env, directory)
            ended.log += log
            ended.summary += wrote["STEP_SUMMARY"]
            ended.path += paths
            ended.env.update(parse_pairs(wrote["ENV"]))
            ended.codes[step["id"]] = code
            ended.ok = code == 0
            contexts["steps"][step["id"]] = {"outputs": parse_pairs(wrote["OUTPUT"])}
        ended.outputs = {name: expand(given["value"], contexts) for name, given in about["outputs"].items()}
        ended.commands = [(match[1], match[3]) for line in ended.log.splitlines() if (match := COMMAND.match(line))]
        ended.commands += [(match[1], "") for match in OLD_COMMAND.finditer(ended.log)]
        ended.seconds = time.monotonic() - started
        return ended

    def run(self, workflow, name, action, contexts, artifacts):
        """A job of a workflow file: its scripts, our action (as `OWNER/perfgate`), and artifacts as folders. The caller has
        checked out. Gives what each step ended with, by the step's name; a step fails the rest as on GitHub."""
        contexts = {"runner": {"temp": str(self.temp)}, "steps": {}, **contexts}
        contexts["github"] = {"token": self.token, "repository": self.env["GITHUB_REPOSITORY"], **contexts.get("github", {})}
        job = read(workflow)["jobs"][name]
        seen, failed = {}, False
        if not self._wanted(job.get("if", "always()"), contexts):
            return seen
        for step in job["steps"]:
            if not self._wanted(step.get("if", "always()" if not failed else "''"), contexts):
                continue
            given = {key: expand(text, contexts) for key, text in step.get("with", {}).items()}
            env = {key: expand(text, contexts) for key, text in step.get("env", {}).items()}
            uses = step.get("uses", "").split("@")[0]
            if uses == "OWNER/perfgate":
                seen[step["name"]] = self.use(action, given)
            elif uses.startswith("actions/"):
                seen[step["name"]] = self._artifact(uses, given, artifacts)
            else:
                code, log, wrote, _ = self.step(step["run"], env, self.workspace)
                seen[step["name"]] = Ended(code == 0, {}, log, wrote["STEP_SUMMARY"], [], {}, {"run": code}, 0.0)
            failed = failed or not (seen[step["name"]].ok or step.get("continue-on-error"))
        return seen

    @staticmethod
    def _wanted(condition, contexts):
        condition = str(condition)
        whole = EXPRESSION.fullmatch(condition)
        return bool(value(whole[1] if whole else condition, contexts))

    def _artifact(self, uses, given, artifacts):
        """Uploads and downloads by the rules that matter here: a missing artifact fails the download."""
        nothing = Ended(True, {}, "", "", [], {}, {}, 0.0)
        if uses == "actions/checkout":
            return nothing
        if uses == "actions/upload-pages-artifact":
            uses, given = "actions/upload-artifact", {"name": "github-pages", "if-no-files-found": "error", **given}
        store = Path(artifacts) / given["name"]
        path = self.workspace / given["path"]
        if uses == "actions/upload-artifact":
            if path.is_dir():
                shutil.copytree(path, store)
            elif path.is_file():
                store.mkdir(parents=True)
                shutil.copy(path, store)
            nothing.ok = path.exists() or given.get("if-no-files-found") != "error"
        elif uses == "actions/download-artifact":
            nothing.ok = store.exists()
            if nothing.ok:
                shutil.copytree(store, path, dirs_exist_ok=True)
        else:
            raise ValueError(f"the test's runner knows no {uses}")
        return nothing
