"""Runs a composite action, or the `run` steps of a job, as GitHub's runner does: one script at a time, with the documented
environment and files, and with nothing of this machine's environment that a runner would not have."""

import os
import re
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
    """`a.b.c`, `'text'`, `a || b`, `a == b`, `a != b`: all that our action uses; anything else is an error."""
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
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script_file)],
            cwd=directory,
            env={**self.env, **{f"GITHUB_{name}": str(path) for name, path in files.items()}, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
        wrote = {name: path.read_text() for name, path in files.items()}
        self.env.update(parse_pairs(wrote["ENV"]))
        paths = wrote["PATH"].splitlines()
        for path in paths:
            self.env["PATH"] = f"{path}:{self.env['PATH']}"
        return ended.returncode, ended.stdout.decode(errors="replace"), wrote, paths

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
