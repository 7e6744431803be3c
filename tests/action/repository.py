"""A team's repository: a server of its own (our engine, slowed by what a file says), a configuration, and commits."""

import subprocess
from pathlib import Path

CONFIG = """\
schema: perfgate-llm/1
target: {url: "http://127.0.0.1:8000"}
concurrency: 4
input_tokens: 32
output_tokens: {min: 6, max: 10}
num_requests: 60
warmup_requests: 4
repeat: 3
gates:
  tpot_p50: {threshold: 25%, action: block}
  output_tokens_per_s: {threshold: 25%, action: block}
  tpot_p95: {threshold: 10%, action: report}
"""


class Repository:
    def __init__(self, folder, binary):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("config", "user.name", "Alice")
        self.git("config", "user.email", "alice@example.com")
        self.write("perfgate.yaml", CONFIG)
        self.write("slow", "0%\n")
        self.write("ci/serve", f'#!/bin/sh\nexec {binary} sim --port "$1" --slow "tpot=$(cat "$(dirname "$0")/../slow")"\n')
        (self.folder / "ci/serve").chmod(0o755)

    def git(self, *args):
        return subprocess.run(
            ["git", *args], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True
        ).stdout.strip()

    def write(self, path, text):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")
