"""The example workflows, as they stand but for the port, on a repository with its pull requests, against GitHub on this machine."""

import json
import os
import shutil
import socket
import tempfile
import unittest
from pathlib import Path

import github
import release
import runner
from repository import Repository

BINARY = Path(os.environ["PERFGATE_BINARY"]).resolve()
EXAMPLES = release.ROOT / "examples/workflows"
NAME = "acme/server"
FORK = "mallory/server"
TOKEN = "ghs_canarycanarycanarycanarycanary00"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


class Workflows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One main branch with one measured baseline, made by perf-main.yml; each test works on a copy."""
        cls.scratch = Path(tempfile.mkdtemp(prefix="perfgate-workflows."))
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.port = free_port()
        cls.examples = cls.scratch / "examples"
        cls.examples.mkdir()
        for path in EXAMPLES.glob("*.yml"):
            text = path.read_text()
            (cls.examples / path.name).write_text(text.replace("8000", cls.port))
        archive = release.pack(BINARY, "x86_64-unknown-linux-gnu", cls.scratch / "dist")
        cls.action = release.action(cls.scratch / "action", [archive])
        # As after the first job of a machine: the archive is in its tool cache.
        version = archive.name.split("-v")[1].split("-x86_64")[0]
        cls.tools = cls.scratch / "tools" / "perfgate" / version
        cls.tools.mkdir(parents=True)
        shutil.copy(archive, cls.tools)
        team = Repository(cls.scratch / "team", BINARY)
        config = (team.folder / "perfgate.yaml").read_text()
        team.write("perfgate.yaml", config.replace("8000", cls.port))
        team.commit("one")
        team.git("clone", "--quiet", "--bare", str(team.folder), str(cls.scratch / "origin.git"))
        team.git("remote", "add", "origin", str(cls.scratch / "origin.git"))
        cls.team = team

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir=self.scratch))
        self.artifacts = self.folder / "artifacts"
        self.forge = None
        self.jobs = 0

    def copy(self):
        """A copy of the team's repository with its origin."""
        shutil.copytree(self.scratch / "origin.git", self.folder / "origin.git")
        repository = Repository.__new__(Repository)
        repository.folder = self.folder / "repository"
        shutil.copytree(self.team.folder, repository.folder)
        repository.git("remote", "set-url", "origin", str(self.folder / "origin.git"))
        return repository

    def job(self, workspace, event, payload, token=TOKEN, **env):
        self.jobs += 1
        folder = self.folder / f"job-{self.jobs}"
        folder.mkdir()
        (folder / "event.json").write_text(json.dumps(payload))
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "gh").write_text("#!/bin/sh\nexit 0\n")
        (bin_folder / "gh").chmod(0o755)
        job = runner.Job(folder, workspace, {
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_REPOSITORY": NAME,
            "RUNNER_TOOL_CACHE": str(self.scratch / "tools"),
            **({"GITHUB_API_URL": self.forge.url, "GITHUB_GRAPHQL_URL": f"{self.forge.url}/graphql"} if self.forge else {}),
            **env,
        }, bin_folder)
        job.token, job.action_repository = token, release.REPOSITORY
        self.addCleanup(job.end)
        return job

    def main(self, repository):
        """perf-main.yml: measures the tip of main and commits the baseline; gives the new tip."""
        for step, ended in self.main_steps(repository).items():
            self.assertTrue(ended.ok, f"{step}: {ended.log}")
        return repository.git("rev-parse", "HEAD")

    def main_steps(self, repository, event="push", **inputs):
        """perf-main.yml at the tip of main, pushed or run by hand; gives what its steps ended with."""
        shutil.rmtree(self.artifacts, ignore_errors=True)
        sha = repository.git("rev-parse", "HEAD")
        payload = {"ref": "refs/heads/main", "after": sha, "repository": {"full_name": NAME, "default_branch": "main"}}
        env = {"GITHUB_SHA": sha, "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main", "GITHUB_WORKFLOW": "perf-main"}
        contexts = {"github": {"ref_name": "main", "ref": "refs/heads/main"}, "inputs": inputs}
        steps = {}
        for name in ("measure", "save"):
            job = self.job(repository.folder, event, payload, **env, GITHUB_JOB=name)
            steps.update(job.run(self.examples / "perf-main.yml", name, self.action, contexts, self.artifacts))
            job.end()
        shutil.rmtree(repository.folder / "perfgate-report")
        return steps

    def change(self, repository, files, body="", head_repository=NAME, number=7):
        """A pull request of one commit, checked out as GitHub does: merged into its base. Gives its event and its environment."""
        base = repository.git("rev-parse", "main")
        repository.git("checkout", "--quiet", "-b", "change")
        for path, text in files.items():
            if text is None:
                (repository.folder / path).unlink()
            else:
                repository.write(path, text)
        head = repository.commit("a change")
        repository.git("checkout", "--quiet", "--detach", "main")
        repository.git("merge", "--quiet", "--no-ff", "--message", "merged", "change")
        self.forge = github.GitHub(NAME, repository.folder)
        self.addCleanup(self.forge.close)
        pull = self.forge.open(number, head, base, body, head_repository)
        pull["base"]["repo"]["default_branch"] = "main"
        payload = {"action": "synchronize", "number": number, "pull_request": pull,
                   "repository": {"full_name": NAME, "default_branch": "main"}}
        env = {"GITHUB_SHA": repository.git("rev-parse", "HEAD"), "GITHUB_REF": f"refs/pull/{number}/merge",
               "GITHUB_REF_NAME": f"{number}/merge", "GITHUB_BASE_REF": "main", "GITHUB_HEAD_REF": "change"}
        return payload, env

    def same_repository(self, repository, payload, env):
        job = self.job(repository.folder, "pull_request", payload, **env, GITHUB_JOB="perf")
        contexts = {"github": {"event": payload}}
        steps = job.run(self.examples / "perf-same-repository.yml", "perf", self.action, contexts, self.artifacts)
        job.end()
        return steps.get("Measure, judge and post")

    def fork(self, repository, payload, env):
        """perf.yml with the rights of a fork: no secret, a token that may only read."""
        job = self.job(repository.folder, "pull_request", payload, "ghs_readonlyreadonlyreadonlyreadonly", **env)
        steps = job.run(self.examples / "perf.yml", "measure", self.action, {"github": {"event": payload}}, self.artifacts)
        job.end()
        return steps["Measure and judge"]

    def comment(self, payload, conclusion="success"):
        """perf-comment.yml, in an empty workspace."""
        pull = payload["pull_request"]
        event = {
            "action": "completed",
            "workflow_run": {
                "id": 4711, "run_attempt": 1, "name": "perf", "event": "pull_request", "conclusion": conclusion, "status": "completed",
                "head_sha": pull["head"]["sha"], "head_branch": pull["head"]["ref"], "head_repository": pull["head"]["repo"],
                "repository": {"full_name": NAME}, "pull_requests": [], "html_url": f"https://github.com/{NAME}/actions/runs/4711",
                "run_number": 12, "path": ".github/workflows/perf.yml",
            },
            "repository": {"full_name": NAME, "default_branch": "main"},
        }
        sha = pull["base"]["sha"]
        job = self.job(self.folder / f"empty-{self.jobs}", "workflow_run", event, GITHUB_SHA=sha, GITHUB_REF="refs/heads/main",
                       GITHUB_REF_NAME="main", GITHUB_RUN_ID="4712", GITHUB_WORKFLOW="perf-comment", GITHUB_JOB="post")
        steps = job.run(self.examples / "perf-comment.yml", "post", self.action, {"github": {"event": event}}, self.artifacts)
        return steps["Judge and post"]

    def one_comment(self):
        self.assertEqual(len(self.forge.comments), 1)
        return self.forge.comments[0]["body"]

    def one_check(self):
        self.assertEqual(len(self.forge.checks), 1, self.forge.writes())
        return self.forge.checks[0]


class WithBaseline(Workflows):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        maker = cls("run_nothing")
        maker.setUp()
        cls.tip = maker.main(cls.team)
        maker.doCleanups()
        shutil.rmtree(cls.scratch / "origin.git")
        cls.team.git("clone", "--quiet", "--bare", str(cls.team.folder), str(cls.scratch / "origin.git"))

    def run_nothing(self):
        pass

    def test_the_main_branch_gets_its_baseline_as_a_commit(self):
        self.assertIn("baselines/", self.team.git("show", "--name-only", "--format=%s", self.tip))
        self.assertIn("perf: baseline of ", self.team.git("show", "--no-patch", "--format=%s", self.tip))

    def test_the_baselines_become_a_site(self):
        repository = self.copy()
        event = {"action": "completed", "repository": {"full_name": NAME, "default_branch": "main"}}
        job = self.job(repository.folder, "workflow_run", event, GITHUB_SHA=self.tip, GITHUB_REF="refs/heads/main",
                       GITHUB_REF_NAME="main", GITHUB_SERVER_URL="https://github.com")
        steps = job.run(self.examples / "perf-site.yml", "build", self.action, {"github": {"event": event}}, self.artifacts)
        for step, ended in steps.items():
            self.assertTrue(ended.ok, f"{step}: {ended.log}")
        site = self.artifacts / "github-pages"
        index = (site / "index.html").read_text()
        self.assertIn("1\u00a0baseline with 1\u00a0session", index)
        self.assertIn(f"https://github.com/{NAME}/commit/", index)
        self.assertEqual(len(list(site.glob("*.html"))), 2)

    def test_a_main_branch_that_got_worse_is_saved_by_hand_with_a_reason(self):
        repository = self.copy()
        repository.write("slow", "60%\n")
        tip = repository.commit("slower")
        refused = self.main_steps(repository)["Append to the baseline"]
        self.assertFalse(refused.ok, refused.log)
        self.assertIn("worse than its limits", refused.log)
        # Nor where it is run by hand without a reason.
        refused = self.main_steps(repository, "workflow_dispatch", accept="")["Append to the baseline"]
        self.assertFalse(refused.ok, refused.log)
        self.assertEqual(repository.git("rev-parse", "HEAD"), tip)
        canary = self.folder / "canary"
        reason = f'--force; the "old" kernel\'s answers $(touch {canary}) were wrong'
        saved = self.main_steps(repository, "workflow_dispatch", accept=reason)["Append to the baseline"]
        self.assertTrue(saved.ok, saved.log)
        self.assertIn("accepted by alice: ", saved.log)
        self.assertIn(reason, saved.log)
        self.assertFalse(canary.exists())
        self.assertNotEqual(repository.git("rev-parse", "HEAD"), tip)

    def test_a_slower_change_is_blocked_with_comment_check_summary_and_outputs(self):
        repository = self.copy()
        ended = self.same_repository(repository, *self.change(repository, {"slow": "60%\n"}))
        self.assertFalse(ended.ok, ended.log)
        self.assertEqual(ended.codes["perfgate"], 1, ended.log)
        self.assertEqual(ended.outputs["verdict"], "regression")
        self.assertEqual(ended.outputs["exit-code"], "1")
        self.assertGreaterEqual(int(ended.outputs["regressions"]), 1)
        comment = self.one_comment()
        self.assertTrue(comment.startswith("<!-- perfgate-llm:v1 key=default -->\n"), comment[:200])
        self.assertIn("perfgate: regression", comment.split("## ")[1].splitlines()[0])
        self.assertIn("TPOT", comment)
        self.assertIn("regression", ended.summary)
        self.assertEqual(ended.outputs["comment-id"], "1001")
        self.assertIn("issuecomment-1001", ended.outputs["comment-url"])
        check = self.one_check()
        self.assertEqual((check["name"], check["conclusion"]), ("perfgate", "failure"))
        self.assertEqual(check["head_sha"], self.forge.pulls[7]["head"]["sha"])
        for name in ("result-json", "report-html", "report-markdown"):
            path = repository.folder / ended.outputs[name]
            self.assertTrue(path.is_file(), name)
            self.assertNotIn(TOKEN, path.read_text())
        self.assertNotIn(TOKEN, ended.log + ended.summary + comment)

    def test_a_change_that_changes_nothing_is_not_blocked_and_is_said_once(self):
        repository = self.copy()
        payload, env = self.change(repository, {"other": "1\n"})
        for _ in range(2):
            ended = self.same_repository(repository, payload, env)
            self.assertTrue(ended.ok, ended.log)
            self.assertIn(ended.outputs["verdict"], ("pass", "inconclusive", "improvement"))
            shutil.rmtree(self.artifacts)
        self.assertEqual(len(self.forge.comments), 1)
        self.assertNotEqual(self.forge.checks[-1]["conclusion"], "failure")

    def test_t1_a_pull_request_cannot_loosen_its_own_gate(self):
        repository = self.copy()
        config = (repository.folder / "perfgate.yaml").read_text()
        loose = config.replace("25%, action: block", "500%, action: report") + "on_inconclusive: pass\n"
        self.assertNotEqual(loose, config)
        ended = self.same_repository(repository, *self.change(repository, {"slow": "60%\n", "perfgate.yaml": loose}))
        self.assertEqual(ended.outputs["verdict"], "regression", ended.log)
        self.assertIn("not applied", self.one_comment())

    def test_t1_a_pull_request_that_deletes_the_configuration_is_judged_all_the_same(self):
        repository = self.copy()
        ended = self.same_repository(repository, *self.change(repository, {"slow": "60%\n", "perfgate.yaml": None}))
        self.assertEqual(ended.outputs["verdict"], "regression", ended.log)

    def test_a_fork_is_measured_without_rights_and_judged_by_the_base(self):
        repository = self.copy()
        payload, env = self.change(repository, {"slow": "60%\n"}, head_repository=FORK)
        measured = self.fork(repository, payload, env)
        self.assertEqual(measured.outputs["verdict"], "regression", measured.log)
        self.assertEqual(self.forge.writes(), [])
        ended = self.comment(payload)
        self.assertEqual(ended.outputs["verdict"], "regression", ended.log)
        self.assertIn("perfgate: regression", self.one_comment().split("## ")[1].splitlines()[0])
        check = self.one_check()
        self.assertEqual((check["name"], check["conclusion"]), ("perfgate", "failure"))

    def test_t1_a_fork_that_loosens_its_limits_is_judged_by_the_bases(self):
        repository = self.copy()
        config = (repository.folder / "perfgate.yaml").read_text()
        files = {"slow": "60%\n", "perfgate.yaml": config.replace("25%, action: block", "500%, action: report")}
        payload, env = self.change(repository, files, head_repository=FORK)
        self.fork(repository, payload, env)
        ended = self.comment(payload)
        self.assertEqual(ended.outputs["verdict"], "regression", ended.log)
        self.assertEqual(self.one_check()["conclusion"], "failure")
        comment = self.one_comment()
        self.assertIn("not applied", comment)
        self.assertIn("500%, action: report", comment)

    def test_a_result_that_says_pass_is_judged_by_its_samples(self):
        repository = self.copy()
        payload, env = self.change(repository, {"slow": "60%\n"}, head_repository=FORK)
        self.fork(repository, payload, env)
        (self.artifacts / "perfgate/report.json").write_text('{"verdict": "pass", "exit_code": 0}')
        for path in (self.artifacts / "perfgate").glob("report.*"):
            path.write_text("pass")
        self.assertEqual(self.comment(payload).outputs["verdict"], "regression")

    def test_t15_the_result_of_another_run_is_no_result(self):
        repository = self.copy()
        payload, env = self.change(repository, {"other": "1\n"}, head_repository=FORK)
        self.fork(repository, payload, {**env, "GITHUB_RUN_ID": "4000"})
        ended = self.comment(payload)
        self.assertFalse(ended.ok, ended.log)
        self.assertEqual(self.one_check()["conclusion"], "failure")

    def test_a_merge_queue_gets_the_same_check_and_no_comment(self):
        repository = self.copy()
        payload, env = self.change(repository, {"slow": "60%\n"})
        head, base = env["GITHUB_SHA"], payload["pull_request"]["base"]["sha"]
        event = {"action": "checks_requested", "repository": payload["repository"],
                 "merge_group": {"head_sha": head, "base_sha": base, "base_ref": "refs/heads/main",
                                 "head_ref": f"refs/heads/gh-readonly-queue/main/pr-7-{base}"}}
        job = self.job(repository.folder, "merge_group", event, GITHUB_SHA=head, GITHUB_REF=event["merge_group"]["head_ref"],
                       GITHUB_REF_NAME=event["merge_group"]["head_ref"].removeprefix("refs/heads/"))
        steps = job.run(self.examples / "perf-merge-queue.yml", "perf", self.action, {"github": {"event": event}}, self.artifacts)
        ended = steps["Measure and judge"]
        self.assertEqual(ended.outputs["verdict"], "regression", ended.log)
        self.assertEqual(self.forge.comments, [])
        check = self.one_check()
        self.assertEqual((check["name"], check["conclusion"], check["head_sha"]), ("perfgate", "failure", head))

    def test_t2_a_fork_that_drops_its_measurement_does_not_pass(self):
        repository = self.copy()
        payload, _ = self.change(repository, {"slow": "60%\n"}, head_repository=FORK)
        ended = self.comment(payload, "failure")
        self.assertFalse(ended.ok, ended.log)
        self.assertEqual(self.one_check()["conclusion"], "failure")

    def test_t7_t8_hostile_inputs_stay_text(self):
        repository = self.copy()
        payload, env = self.change(repository, {"other": "1\n"})
        job = self.job(repository.folder, "pull_request", payload, **env)
        canary = self.folder / "canary"
        hostile = f"$(touch {canary})`touch {canary}`\n::add-mask::x\nverdict=pass"
        for name in ("config", "baseline", "args", "fail-on", "comment", "comment-key", "report-dir", "pr-number", "command"):
            with self.subTest(name):
                ended = job.use(self.action, {"comment": "off", "check-run": "false", name: hostile})
                self.assertFalse(ended.ok, ended.log)
                self.assertFalse(canary.exists())
                self.assertNotEqual(ended.outputs["verdict"], "pass")
                self.assertNotIn("add-mask", [command for command, _ in ended.commands])


class WithoutBaseline(Workflows):
    def test_side_by_side_no_baseline_is_needed(self):
        """As docs/github.md tells it: the base in a worktree, both arms started by perfgate."""
        repository = self.copy()
        config = (repository.folder / "perfgate.yaml").read_text()
        arms = release.ROOT.joinpath("docs/github.md").read_text().split("measure: ab\n")[1].split("```")[0]
        self.assertIn("candidate:", arms)
        repository.write("perfgate.yaml", f"{config}measure: ab\n{arms}")
        repository.commit("side by side")
        payload, env = self.change(repository, {"slow": "60%\n"})
        job = self.job(repository.folder, "pull_request", payload, **env)
        code, log, _, _ = job.step('git worktree add base "$BASE"', {"BASE": payload["pull_request"]["base"]["sha"]}, repository.folder)
        self.assertEqual(code, 0, log)
        ended = job.use(self.action, {})
        self.assertEqual(ended.outputs["verdict"], "regression", ended.log)
        self.assertEqual(self.one_check()["conclusion"], "failure")

    def test_before_there_is_a_baseline_the_comment_says_how_one_is_made(self):
        repository = self.copy()
        ended = self.same_repository(repository, *self.change(repository, {"other": "1\n"}))
        self.assertEqual(ended.outputs["verdict"], "no_baseline", ended.log)
        self.assertEqual(ended.outputs["exit-code"], "3")
        self.assertIn("perfgate baseline save", self.one_comment())

    def test_a_server_that_is_not_there_is_a_failed_measurement_and_never_a_pass(self):
        repository = self.copy()
        payload, env = self.change(repository, {"other": "1\n"})
        job = self.job(repository.folder, "pull_request", payload, **env)
        ended = job.use(self.action, {})
        self.assertFalse(ended.ok, ended.log)
        self.assertEqual(ended.codes["perfgate"], 4, ended.log)
        self.assertEqual(ended.outputs["exit-code"], "4")
        self.assertEqual(self.one_check()["conclusion"], "failure")
        self.assertEqual(ended.outputs["verdict"], "invalid")
        self.assertIn("invalid", self.one_comment().split("## ")[1].splitlines()[0])

    def test_a_forks_pull_request_is_left_alone_by_the_single_workflow(self):
        repository = self.copy()
        payload, env = self.change(repository, {"other": "1\n"}, head_repository=FORK)
        self.assertIsNone(self.same_repository(repository, payload, env))

    def test_a_missing_permission_is_named_and_the_verdict_stands(self):
        repository = self.copy()
        payload, env = self.change(repository, {"other": "1\n"})
        self.forge.may = {"check"}
        ended = self.same_repository(repository, payload, env)
        self.assertIn("pull-requests: write", ended.log)
        self.assertEqual(ended.outputs["verdict"], "no_baseline")




if __name__ == "__main__":
    unittest.main()
