"""What docs/github.md tells the reader to type, typed."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import release
from test_workflows import free_port

BINARY = Path(os.environ["PERFGATE_BINARY"]).resolve()
PAGE = (release.ROOT / "docs/github.md").read_text()


class Docs(unittest.TestCase):
    def test_the_whole_way_on_a_laptop(self):
        part = PAGE.split("## Before GitHub")[1].split("\n## ")[0]
        script = re.search(r"```bash\n(.*?)```", part, re.S)[1]
        folder = Path(tempfile.mkdtemp(prefix="perfgate-docs."))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "bin").mkdir()
        (folder / "bin/perfgate").symlink_to(BINARY)
        (folder / "script").write_text(script.replace("8000", free_port()))
        env = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
               "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
        with (folder / "log").open("w") as log:
            typed = subprocess.Popen(
                ["bash", "-u", folder / "script"], cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
            try:
                typed.wait(timeout=300)
            finally:
                # The engines, where the script did not come to its end.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(typed.pid, signal.SIGKILL)
        said = (folder / "log").read_text()
        self.assertIn("regression: ", said)
        self.assertIn("not applied", said)
        self.assertEqual(said.count("exit code 1"), 2, said)
        self.assertIn("| <!-- perfgate-llm:v1 key=default -->", said)
        self.assertTrue((folder / "shop/perfgate-report/result.json").is_file())


if __name__ == "__main__":
    unittest.main()
