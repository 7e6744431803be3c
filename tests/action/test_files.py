"""What must hold for each workflow and for the action, beside what zizmor and actionlint hold."""

import re
import tomllib
import unittest
from pathlib import Path

import runner

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples/workflows").glob("*.yml"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml")) + EXAMPLES
ACTION = runner.read(ROOT / "action.yml")


def steps(workflow):
    return [step for job in runner.read(workflow)["jobs"].values() for step in job["steps"]]


class Files(unittest.TestCase):
    def test_there_is_something_to_look_at(self):
        self.assertGreaterEqual(len(EXAMPLES), 6)
        self.assertGreaterEqual(len(WORKFLOWS), 8)

    def test_t8_no_expression_stands_in_a_script(self):
        scripts = [(path.name, step["run"]) for path in WORKFLOWS for step in steps(path) if "run" in step]
        scripts += [("action.yml", step["run"]) for step in ACTION["runs"]["steps"]]
        self.assertGreater(len(scripts), 10)
        for name, script in scripts:
            self.assertNotIn("${{", script, name)

    def test_t21_every_action_is_pinned_by_commit_with_its_version(self):
        seen = {}
        for path in WORKFLOWS:
            for line in path.read_text().splitlines():
                if "uses:" not in line:
                    continue
                match = re.fullmatch(r"\s*(?:- )?uses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
                self.assertIsNotNone(match, f"{path.name}: {line}")
                name, commit, version = match.groups()
                self.assertEqual(seen.setdefault(name, (commit, version)), (commit, version), f"{path.name}: two pins of {name}")
        self.assertIn("actions/checkout", seen)

    def test_t21_the_pinned_checksums_are_well_formed(self):
        files = []
        for line in (ROOT / "action/checksums.txt").read_text().splitlines():
            if line.startswith("#"):
                continue
            match = re.fullmatch(r"[0-9a-f]{64}  (perfgate-v\d+\.\d+\.\d+\S*-(?:x86_64|aarch64)-[a-z-]+\.tar\.gz)", line)
            self.assertIsNotNone(match, line)
            files.append(match[1])
        self.assertEqual(len(files), len(set(files)))

    def test_t21_binstall_asks_for_the_archives_that_a_release_packs(self):
        about = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
        binstall, version = about["metadata"]["binstall"], about["version"]
        self.assertEqual(binstall["pkg-fmt"], "tgz")
        release = runner.read(ROOT / ".github/workflows/release.yml")
        targets = [one["target"] for one in release["jobs"]["build"]["strategy"]["matrix"]["include"]]
        for kind in ("x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "aarch64-apple-darwin"):
            self.assertIn(kind, targets)
        pack = (ROOT / ".ci/pack").read_text()
        packed = re.search(r"^archive=\$folder/(\S+)$", pack, re.MULTILINE)[1]
        for target in targets:
            asked = binstall["pkg-url"].rsplit("/", 1)[1]
            for name, value in {"version": version, "target": target, "archive-suffix": ".tar.gz"}.items():
                asked = asked.replace("{ %s }" % name, value)
            self.assertEqual(asked, packed.replace("$version", version).replace("$target", target))
        self.assertIn(" perfgate README.md", pack)
        self.assertEqual(binstall["bin-dir"], "perfgate{ binary-ext }")

    def test_every_input_and_output_is_described_in_one_line(self):
        for kind in ("inputs", "outputs"):
            for name, about in ACTION[kind].items():
                self.assertRegex(about["description"], r"\A[^\n]{10,}\.\Z", name)

    def test_every_input_reaches_a_step_under_its_own_name(self):
        given = {}
        for step in ACTION["runs"]["steps"]:
            given.update(step["env"])
        for name in ACTION["inputs"]:
            if name == "working-directory":
                continue
            wanted = "INPUT_" + name.upper().replace("-", "_")
            self.assertIn(f"${{{{ inputs.{name} }}}}", [given.get(wanted), given.get("GITHUB_TOKEN")], name)

    def test_the_examples_give_only_inputs_that_exist_and_read_only_outputs_that_exist(self):
        used = 0
        for path in EXAMPLES:
            for step in steps(path):
                if step.get("uses", "").startswith("OWNER/perfgate@"):
                    used += 1
                    unknown = set(step.get("with", {})) - set(ACTION["inputs"])
                    self.assertFalse(unknown, f"{path.name}: {unknown}")
                    for name, text in step.get("with", {}).items():
                        self.assertIsInstance(text, str, f"{path.name}: `{name}` is not text to YAML; quote it")
        self.assertGreaterEqual(used, 6)

    def test_no_example_checks_out_a_pull_request_with_rights(self):
        for path in EXAMPLES:
            triggers = runner.read(path)["on"]
            self.assertNotIn("pull_request_target", triggers, path.name)
            if "workflow_run" in triggers:
                for step in steps(path):
                    if "checkout" in step.get("uses", ""):
                        # Only the default branch's tip, which nobody who opens a pull request has written.
                        self.assertEqual("${{ github.event.repository.default_branch }}", step["with"].get("ref"), path.name)

    def test_each_permission_is_named_in_the_documentation(self):
        table = (ROOT / "docs/github.md").read_text()
        for path in EXAMPLES:
            for job in runner.read(path)["jobs"].values():
                for scope, right in job["permissions"].items():
                    self.assertIn(f"`{scope}: {right}`", table, path.name)

    def test_each_input_and_output_is_in_the_documentation(self):
        table = (ROOT / "docs/github.md").read_text()
        for name in [*ACTION["inputs"], *ACTION["outputs"]]:
            self.assertIn(f"| `{name}` |", table)

    def test_each_example_is_in_the_documentation(self):
        table = (ROOT / "docs/github.md").read_text()
        for path in EXAMPLES:
            self.assertIn(f"../examples/workflows/{path.name}", table)


if __name__ == "__main__":
    unittest.main()
