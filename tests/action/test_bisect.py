"""examples/workflows/perf-bisect.yml, as it stands, on a repository in which one commit made the server slower."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

import release
import runner
from repository import Repository

BINARY = Path(os.environ["PERFGATE_BINARY"]).resolve()
WORKFLOW = release.ROOT / "examples/workflows/perf-bisect.yml"


class Bisect(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="perfgate-bisect."))
        self.addCleanup(shutil.rmtree, self.folder)
        self.repository = Repository(self.folder / "repository", BINARY)
        with open(self.repository.folder / "perfgate.yaml", "a") as config:
            config.write("arms: {candidate: {command: 'ci/serve {port}'}}\n")
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "perfgate").symlink_to(BINARY)
        self.job = runner.Job(self.folder, self.repository.folder, {"GITHUB_EVENT_NAME": "workflow_dispatch"}, tools)
        self.addCleanup(self.job.end)
        self.action = self.folder / "action"
        release.action(self.action, [])
        # The example pins a release; here the program on PATH is the one to try.
        text = (self.action / "action.yml").read_text()
        (self.action / "action.yml").write_text(text.replace('(`0.1.0`); empty', 'empty').replace('default: ""', 'default: path', 1))

    def bisect(self, good, bad):
        return self.job.run(WORKFLOW, "bisect", self.action, {"inputs": {"good": good, "bad": bad}}, self.folder / "artifacts")

    def test_the_commit_that_made_it_slower_is_found(self):
        commits = [self.repository.commit("one")]
        for number, slow in enumerate(["0%", "0%", "40%", "40%", "40%"]):
            self.repository.write("slow", f"{slow}\n")
            self.repository.write("other", f"{number}\n")
            commits.append(self.repository.commit(f"change {number}"))
        steps = self.bisect(commits[0], commits[-1])
        self.assertTrue(steps["Bisect"].ok, steps["Bisect"].log)
        self.assertIn(commits[3], steps["Tell"].summary)

    def test_where_there_is_nothing_to_find_it_says_so(self):
        good = self.repository.commit("one")
        self.repository.write("other", "1\n")
        bad = self.repository.commit("two")
        ended = self.bisect(good, bad)["Bisect"]
        self.assertFalse(ended.ok, ended.log)
        self.assertIn("there is nothing to search for", ended.log)

    def test_a_revision_cannot_be_an_option(self):
        self.repository.commit("one")
        ended = self.bisect("--output=x", "HEAD")["Bisect"]
        self.assertFalse(ended.ok)
        self.assertFalse((self.repository.folder / "x").exists())


if __name__ == "__main__":
    unittest.main()
