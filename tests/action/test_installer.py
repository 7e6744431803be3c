"""The installer, run through action.yml as the runner does, against a release on this machine."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import release
import runner

BINARY = Path(os.environ["PERFGATE_BINARY"]).resolve()
GNU, MUSL = "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"


def setUpModule():
    global SCRATCH, VERSION, ARCHIVE
    SCRATCH = Path(tempfile.mkdtemp(prefix="perfgate-installer."))
    VERSION = subprocess.run([BINARY, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[1]
    ARCHIVE = release.pack(BINARY, GNU, SCRATCH / "dist")


def tearDownModule():
    shutil.rmtree(SCRATCH)


class Installer(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir=SCRATCH))
        self.server = release.Server(self.folder)
        self.addCleanup(self.server.close)
        self.server.publish(ARCHIVE, VERSION)
        self.action = release.action(self.folder / "action", [ARCHIVE])
        self.tools = self.folder / "bin"
        self.tools.mkdir()
        # The real curl; what it is asked for is written down, and it reaches nothing but this machine.
        curl = shutil.which("curl")
        self.tool("curl", f"""
            printf '%s\\n' "$*" >>'{self.folder}/curl.args'
            env >>'{self.folder}/curl.env'
            [[ "$*" == *https://127.0.0.1:* ]] || exit 6
            exec {curl} "$@" """)
        self.job = runner.Job(self.folder, self.folder / "workspace", {
            "GITHUB_SERVER_URL": self.server.url,
            "CURL_CA_BUNDLE": str(self.server.certificate),
        }, self.tools)
        self.job.token = "ghs_canary"
        self.job.action_repository = release.REPOSITORY

    def tool(self, name, script):
        path = self.tools / name
        path.write_text("#!/usr/bin/env bash\n" + script.strip() + "\n")
        path.chmod(0o755)

    def install(self, **inputs):
        return self.job.use(self.action, {"command": "install", **{name.replace("_", "-"): text for name, text in inputs.items()}})

    def cached(self, archive=None):
        archive = archive or ARCHIVE
        return self.folder / "tools/perfgate" / VERSION / archive.name

    def refused(self, ended, *words):
        """Nothing is installed, and one error says why."""
        self.assertFalse(ended.ok, ended.log)
        self.assertEqual(ended.path, [])
        self.assertEqual(len(ended.errors()), 1, ended.log)
        for word in words:
            self.assertIn(word, ended.errors()[0])
        self.assertEqual([name for name, _ in ended.commands if name not in ("error", "warning")], [])

    def works(self, ended):
        self.assertTrue(ended.ok, ended.log)
        self.assertEqual(len(ended.path), 1)
        code, log, _, _ = self.job.step("perfgate --version", {}, self.folder)
        self.assertEqual((code, log.strip()), (0, f"perfgate {VERSION}"))
        return Path(ended.path[0])

    def test_a_fresh_machine_fetches_once_and_then_uses_the_cache_within_three_seconds(self):
        self.works(self.install())
        self.assertEqual(len(self.server.requests), 1)
        again = self.install()
        self.works(again)
        self.assertEqual(len(self.server.requests), 1)
        self.assertLess(again.seconds, 3.0)
        self.assertEqual(release.sha256(self.cached()), release.sha256(ARCHIVE))

    def test_only_the_program_is_unpacked_and_only_into_the_temporary_folder(self):
        folder = self.works(self.install())
        self.assertEqual([path.name for path in folder.iterdir()], ["perfgate"])
        self.assertTrue(folder.is_relative_to(self.job.temp))

    def test_d4_a_poisoned_cache_is_noticed_and_replaced(self):
        self.works(self.install())
        self.cached().write_bytes(b"#!/bin/sh\necho poisoned\n")
        ended = self.install()
        self.works(ended)
        self.assertIn("not what was released", ended.warnings()[0])
        self.assertEqual(len(self.server.requests), 2)
        self.assertEqual(release.sha256(self.cached()), release.sha256(ARCHIVE))

    def test_a_cache_that_is_a_folder_or_cannot_be_written_is_no_trouble(self):
        self.cached().mkdir(parents=True)
        self.works(self.install())
        shutil.rmtree(self.folder / "tools")
        (self.folder / "tools").write_text("")
        self.works(self.install())

    def test_t21_a_replaced_release_is_refused_and_not_kept(self):
        other = self.folder / "other.tar.gz"
        other.write_bytes(ARCHIVE.read_bytes() + b"\0")
        self.server.publish(other, VERSION, ARCHIVE.name)
        self.refused(self.install(), "not the pinned")
        self.assertFalse(self.cached().exists())

    def test_t21_a_release_that_is_not_pinned_is_refused(self):
        self.server.publish(ARCHIVE, "9.9.9", f"perfgate-v9.9.9-{GNU}.tar.gz")
        self.refused(self.install(version="9.9.9"), f"perfgate-v9.9.9-{GNU}.tar.gz", "no pinned SHA-256", "version: path")
        self.assertEqual(self.server.requests, [])

    def test_a_checksum_that_is_given_stands_for_a_pin(self):
        self.server.publish(ARCHIVE, "9.9.9", f"perfgate-v9.9.9-{GNU}.tar.gz")
        self.works(self.install(version="9.9.9", checksum=release.sha256(ARCHIVE)))

    def test_a_checksum_must_be_one_and_agree_with_the_pin(self):
        self.refused(self.install(checksum="abc"), "64 hex digits")
        self.refused(self.install(checksum="0" * 64), "pinned with another one")
        self.works(self.install(checksum=release.sha256(ARCHIVE)))

    def test_a_version_is_a_number_and_nothing_else(self):
        for version in ["../../x", "latest", "1", "v0.1.0", "0.1.0/..", "$(id)", "0.1.0\n::add-mask::x", "01.0.0"]:
            with self.subTest(version):
                self.refused(self.install(version=version), "is no release")
        self.assertEqual(self.server.requests, [])

    def test_before_the_first_release_it_says_so(self):
        self.action = release.action(self.folder / "unreleased", [])
        self.refused(self.install(), "no pinned SHA-256")

    def test_the_newest_pin_is_the_default(self):
        with (self.action / "action/checksums.txt").open("a") as file:
            file.write(f"{'0' * 64}  perfgate-v8.0.0-rc.1-{GNU}.tar.gz\n")
        self.refused(self.install(), "could not fetch perfgate-v8.0.0-rc.1")

    def test_machines_without_a_release_are_told(self):
        for system, machine in [("Linux", "riscv64"), ("Darwin", "x86_64"), ("MINGW64_NT-10.0", "x86_64"), ("FreeBSD", "amd64")]:
            with self.subTest(system):
                self.tool("uname", f"[[ $1 == -s ]] && echo {system} || echo {machine}")
                self.refused(self.install(), "no release for", "version: path")

    def test_the_archive_is_chosen_by_system_processor_and_libc(self):
        cases = [
            ("Linux", "x86_64", "glibc 2.28", "x86_64-unknown-linux-gnu"),
            ("Linux", "x86_64", "glibc 2.27", "x86_64-unknown-linux-musl"),
            ("Linux", "x86_64", "", "x86_64-unknown-linux-musl"),
            ("Linux", "aarch64", "glibc 2.39", "aarch64-unknown-linux-gnu"),
            ("Linux", "arm64", "musl", "aarch64-unknown-linux-musl"),
            ("Darwin", "arm64", "", "aarch64-apple-darwin"),
        ]
        targets = {target for *_, target in cases}
        archives = []
        for target in sorted(targets):
            archive = self.folder / f"perfgate-v{VERSION}-{target}.tar.gz"
            shutil.copy(ARCHIVE, archive)
            self.server.publish(archive, VERSION)
            archives.append(archive)
        self.action = release.action(self.folder / "all", archives)
        for system, machine, libc, target in cases:
            with self.subTest(f"{system} {machine} {libc}"):
                self.tool("uname", f"[[ $1 == -s ]] && echo {system} || echo {machine}")
                self.tool("getconf", f"[[ -n '{libc}' ]] && echo '{libc}'")
                self.server.requests.clear()
                shutil.rmtree(self.folder / "tools", ignore_errors=True)
                self.works(self.install())
                self.assertEqual([path.rsplit("/", 1)[1] for path, _ in self.server.requests],
                                 [f"perfgate-v{VERSION}-{target}.tar.gz"])

    def test_a_mac_has_shasum_only(self):
        mac = self.folder / "mac"
        mac.mkdir()
        for name in ("bash", "env", "awk", "cp", "mv", "mkdir", "mktemp", "rm", "tar", "gzip", "uname", "dirname"):
            (mac / name).symlink_to(shutil.which(name))
        real = shutil.which("sha256sum")
        (mac / "shasum").write_text(f'#!/bin/sh\n[ "$1 $2" = "-a 256" ] && exec {real}\n')
        (mac / "shasum").chmod(0o755)
        self.job.env["PATH"] = f"{self.tools}:{mac}"
        # Without getconf this machine is one without glibc.
        musl = self.folder / ARCHIVE.name.replace(GNU, MUSL)
        shutil.copy(ARCHIVE, musl)
        self.server.publish(musl, VERSION)
        self.action = release.action(self.folder / "mac-action", [musl])
        self.works(self.install())
        self.works(self.install())
        self.assertEqual(len(self.server.requests), 1)

    def test_ghes_without_the_release_asks_github_com(self):
        self.server.files.clear()
        self.refused(self.install(), "could not fetch", "version: path")
        asked = (self.folder / "curl.args").read_text()
        self.assertIn(f"https://github.com/{release.REPOSITORY}/releases/download/v{VERSION}/{ARCHIVE.name}", asked)
        self.assertEqual(len(self.server.requests), 1)

    def test_downloads_are_https_only_and_read_no_curlrc(self):
        (self.folder / "home/.curlrc").write_text(f"trace-ascii = {self.folder}/canary\n")
        self.works(self.install())
        self.assertFalse((self.folder / "canary").exists())
        self.assertTrue((self.folder / "curl.args").read_text().startswith("--disable --proto =https --tlsv1.2 "))
        self.job.env["GITHUB_SERVER_URL"] = self.server.url.replace("https", "http")
        shutil.rmtree(self.folder / "tools")
        self.refused(self.install(), "could not fetch")

    def test_t10_the_token_reaches_gh_alone(self):
        self.tool("gh", f"env >'{self.folder}/gh.env'; printf '%s\\n' \"$*\" >'{self.folder}/gh.args'")
        self.works(self.install())
        self.assertNotIn("ghs_canary", (self.folder / "curl.env").read_text())
        self.assertIn("GH_TOKEN=ghs_canary", (self.folder / "gh.env").read_text())
        self.assertNotIn("ghs_canary", (self.folder / "gh.args").read_text())
        for _, headers in self.server.requests:
            self.assertNotIn("Authorization", headers)

    def test_attestations_name_the_release_workflow_and_are_asked_for_once(self):
        self.tool("gh", f"printf '%s\\n' \"$*\" >>'{self.folder}/gh.args'")
        self.works(self.install())
        self.works(self.install())
        args = (self.folder / "gh.args").read_text().splitlines()
        self.assertEqual(len(args), 1)
        self.assertIn(f"--repo {release.REPOSITORY} --signer-workflow {release.REPOSITORY}/.github/workflows/release.yml", args[0])
        self.works(self.install(verify_attestation="required"))
        self.works(self.install(verify_attestation="off"))
        self.assertEqual(len((self.folder / "gh.args").read_text().splitlines()), 2)

    def test_an_attestation_that_fails_warns_or_stops(self):
        self.tool("gh", "exit 1")
        ended = self.install()
        self.works(ended)
        self.assertIn("could not verify", ended.warnings()[0])
        self.refused(self.install(verify_attestation="required"), "no attestation")
        os.remove(self.tools / "gh")
        if not shutil.which("gh"):
            self.refused(self.install(verify_attestation="required"), "`gh` is not on PATH")

    def test_unknown_words_are_refused_with_the_known_ones(self):
        self.refused(self.install(verify_attestation="yes"), "auto, required, off")
        self.refused(self.install(fallback="pip"), "none, cargo-install")
        self.refused(self.install(fallback="%0A::add-mask::x"), "%250A")

    def test_version_path_uses_what_is_there_and_fetches_nothing(self):
        self.refused(self.install(version="path"), "no `perfgate` on PATH")
        shutil.copy(BINARY, self.tools / "perfgate")
        ended = self.install(version="path")
        self.assertTrue(ended.ok, ended.log)
        self.assertEqual((ended.path, self.server.requests), ([], []))

    def test_d13_another_tool_of_this_name_is_refused(self):
        self.tool("perfgate", "echo 'perfgate 0.18.1'")
        self.refused(self.install(version="path"), "another tool")

    def test_the_fallback_builds_this_commit_and_only_where_nothing_is_pinned(self):
        self.tool("cargo", f"""
            printf '%s\\n' "$*" >>'{self.folder}/cargo.args'
            mkdir -p "$6/bin" && cp '{BINARY}' "$6/bin/perfgate" """)
        self.works(self.install(fallback="cargo-install"))
        self.assertFalse((self.folder / "cargo.args").exists())
        self.action = release.action(self.folder / "unreleased", [])
        self.refused(self.install(version="9.9.9", fallback="cargo-install"), "no pinned SHA-256")
        ended = self.install(fallback="cargo-install")
        self.assertTrue(ended.ok, ended.log)
        args = (self.folder / "cargo.args").read_text()
        self.assertRegex(args, rf"^install --locked --path {self.action}/action/\.\. --root \S+ --bin perfgate$")

    def test_a_release_whose_program_does_not_run_is_refused(self):
        stage = self.folder / "stage"
        stage.mkdir()
        (stage / "perfgate").write_text("#!/bin/sh\nexit 1\n")
        (stage / "perfgate").chmod(0o755)
        broken = self.folder / ARCHIVE.name
        subprocess.run(["tar", "-czf", broken, "-C", stage, "perfgate"], check=True)
        self.action = release.action(self.folder / "broken", [broken])
        self.server.publish(broken, VERSION)
        self.refused(self.install(), "does not run here")

    def test_what_earlier_steps_left_in_the_environment_does_not_run(self):
        canary = self.folder / "canary"
        (self.folder / "startup").write_text(f"touch {canary}\n")
        self.job.env.update({
            "BASH_ENV": str(self.folder / "startup"),
            "ENV": str(self.folder / "startup"),
            "SHELLOPTS": "braceexpand:xtrace",
            "CDPATH": str(self.folder),
            "BASH_FUNC_curl%%": f"() {{ touch {canary}; }}",
            "BASH_FUNC_sha256sum%%": f"() {{ touch {canary}; echo {release.sha256(ARCHIVE)}; }}",
        })
        ended = self.install()
        for name in ("BASH_ENV", "ENV", "SHELLOPTS", "CDPATH", "BASH_FUNC_curl%%", "BASH_FUNC_sha256sum%%"):
            del self.job.env[name]
        self.works(ended)
        self.assertFalse(canary.exists())

    def test_nothing_but_outputs_and_path_is_written(self):
        ended = self.install()
        self.assertEqual((ended.env, ended.summary), ({}, ""))
        self.assertEqual(list(self.job.workspace.iterdir()), [])
        self.assertEqual(list((self.folder / "home").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
