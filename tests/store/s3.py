"""Baselines in S3 against moto, a server process of its own; `run.sh` starts this.

Each check prints what it found; the first that fails ends it with 1.
"""

import datetime
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

BUCKET = "perf-base"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-test"}


# The server.


def serve(port):
    """moto with a count of what it is asked; one request at a time, as moto itself looks and writes in two steps."""
    from moto.s3.models import s3_backends
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, run_simple

    inner = DomainDispatcherApplication(create_backend_app)
    counts = {}

    def age():
        """All that is stored was written two hours before."""
        for account in s3_backends.values():
            for backend in account.values():
                for bucket in backend.buckets.values():
                    for key in bucket.keys.values():
                        key.last_modified -= datetime.timedelta(hours=2)

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/counts":
            body = json.dumps(counts).encode()
            counts.clear()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        if path == "/age":
            age()
            start_response("200 OK", [("Content-Length", "0")])
            return []
        kind = "index" if path.endswith("/index.json") else "session" if "/sessions/" in path else "other"
        key = f"{environ['REQUEST_METHOD']} {kind}"
        counts[key] = counts.get(key, 0) + 1
        return inner(environ, start_response)

    class Quiet(WSGIRequestHandler):
        def log(self, *_):
            pass

    run_simple("127.0.0.1", port, app, threaded=False, request_handler=Quiet)


class Server:
    def __init__(self, free_actions=None):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        env = dict(os.environ)
        if free_actions is not None:
            env["INITIAL_NO_AUTH_ACTION_COUNT"] = str(free_actions)
        self.process = subprocess.Popen([sys.executable, __file__, "--serve", str(self.port)], env=env)
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        request = urllib.request.Request(f"{self.url()}/{BUCKET}", method="PUT", headers={"Host": "localhost"})
        urllib.request.urlopen(request).read()

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def counts(self):
        return json.load(urllib.request.urlopen(f"{self.url()}/counts"))

    def age(self):
        urllib.request.urlopen(f"{self.url()}/age").read()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Proxy:
    """Passes connections on, and cuts some: `cut(method, path, nth)` says at which place, `None`: not at all."""

    def __init__(self, port, cut):
        self.target, self.cut, self.seen = port, cut, {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        """One request after another on a connection, each on a connection of its own to the server."""
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                chunk = client.recv(65536)
                if not chunk:
                    return client.close()
                pending += chunk
            head, pending = pending.split(b"\r\n\r\n", 1)
            lines = head.decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ", 2)
            length = next((int(l.split(":")[1]) for l in lines[1:] if l.lower().startswith("content-length:")), 0)
            while len(pending) < length:
                pending += client.recv(65536)
            body, pending = pending[:length], pending[length:]
            key = (method, path.split("?")[0])
            self.seen[key] = self.seen.get(key, 0) + 1
            where = self.cut(method, path, self.seen[key])
            server = socket.create_connection(("127.0.0.1", self.target))
            if where == "request":
                # The server gets the half of it.
                self.cuts += 1
                server.sendall(head + b"\r\n\r\n" + body[: len(body) // 2])
                server.close()
                return client.close()
            kept = [l for l in lines if not l.lower().startswith("connection:")] + ["Connection: close"]
            server.sendall("\r\n".join(kept).encode("latin-1") + b"\r\n\r\n" + body)
            answer = b""
            while chunk := server.recv(65536):
                answer += chunk
            server.close()
            if where == "answer":
                self.cuts += 1
                return client.close()
            client.sendall(answer)
            if b"connection: close" in answer.split(b"\r\n\r\n", 1)[0].lower():
                return client.close()


# What is done with it.


class Box:
    def __init__(self, perfgate):
        self.perfgate = str(Path(perfgate).resolve())
        self.folder = Path(tempfile.mkdtemp(prefix="perfgate-s3-"))

    def environment(self, url, keys=None):
        ours = ("PERFGATE_", "GITHUB_", "AWS_", "CI_", "GITLAB_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env.update(keys or KEYS)
        env.update(AWS_ENDPOINT_URL=url, AWS_ALLOW_HTTP="true", AWS_REGION="us-east-1", USER="tester")
        return env

    def start(self, url, *args, keys=None):
        command = [self.perfgate, *map(str, args)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment(url, keys), stdout=pipe, stderr=pipe, text=True
        )

    def run(self, url, *args, code=0, keys=None):
        process = self.start(url, *args, keys=keys)
        out, err = process.communicate(timeout=300)
        check(process.returncode == code, f"perfgate {args} ended with {process.returncode}, not {code}\n{out}\n{err}")
        return out + err

    def session(self, number):
        path = self.folder / f"session-{number}.json"
        path.write_text(json.dumps(session(number)))
        return path


def session(number):
    """Two runs of twenty requests; sessions differ by their start, their commit and a little in their times."""
    slower = 1 + (number * 7919 % 13) / 2000
    requests = []
    for index in range(20):
        sent = index * 50_000_000
        first = sent + int(40_000_000 * slower) + index * 10_000
        last = first + int(900_000_000 * slower)
        stamps = {"sent_ns": sent, "first_token_ns": first, "last_token_ns": last, "end_ns": last + 100_000}
        requests.append({**stamps, "output_tokens": 91})
    other = [{**r, "end_ns": r["end_ns"] + 1000 * (i + 1)} for i, r in enumerate(requests)]
    return {
        "schema": "perfgate-llm/session/1",
        "started_unix_s": 1_790_000_000 + number,
        "commit": hashlib.sha1(str(number).encode()).hexdigest(),
        "definitions": "perfgate/1",
        "plan": {
            "target": {"url": "http://127.0.0.1:8000", "api": "chat"},
            "workload": {"prompts": {"synthetic": {"input_tokens": {"fixed": 512}}}, "output_tokens": {"fixed": 91}},
            "loads": [{"concurrency": 4}],
            "requests_per_run": 20,
            "repeats": 2,
            "seed": 42,
        },
        "cells": [{"load": {"concurrency": 4}, "runs": [{"requests": requests}, {"requests": other}]}],
    }


def check(is_right, what):
    if not is_right:
        print(f"FAILED: {what}", file=sys.stderr)
        sys.exit(1)


def saved(box, url, store):
    """The starts of all stored sessions, of the one baseline there is."""
    told = json.loads(box.run(url, "history", "--store", store, "--format", "json"))
    return len(told["baselines"][0]["sessions"])


def contract(box, server):
    store = f"s3://{BUCKET}/contract"
    box.run(server.url(), "baseline", "save", box.session(1), "--name", "main", "--force", "--store", store)
    box.run(server.url(), "baseline", "save", box.session(2), "--force", "--store", store)
    text = box.run(server.url(), "baseline", "save", box.session(2), "--force", "--store", store)
    check("already in" in text, text)
    box.run(server.url(), "baseline", "pin", "--store", store)
    text = box.run(server.url(), "baseline", "show", "main", "--store", store)
    check("2 sessions" in text and "pinned" in text, text)
    text = box.run(server.url(), "baseline", "list", "--store", "s3://no-such-bucket/x", code=2)
    check("NoSuchBucket" in text, text)
    print("one writer: saved, counted once, pinned, shown; a bucket that is not there is an error")


def two_writers(box, server):
    store, each = f"s3://{BUCKET}/writers", 8
    files = [[box.session(writer * 100 + at) for at in range(each)] for writer in range(2)]
    trouble = []

    def write(own):
        for file in own:
            process = box.start(server.url(), "baseline", "save", file, "--force", "--store", store)
            out, err = process.communicate(timeout=300)
            if process.returncode != 0:
                trouble.append(out + err)

    server.counts()
    threads = [threading.Thread(target=write, args=(own,)) for own in files]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    counts = server.counts()
    check(not trouble, trouble[:1])
    found = saved(box, server.url(), store)
    check(found == 2 * each, f"{found} of {2 * each} sessions")
    lost = counts.get("PUT index", 0) - 2 * each
    print(f"two writers at once: all {found} sessions are there; {lost} swaps of the index were refused and tried again")


def cut_connection(box, server):
    store = f"s3://{BUCKET}/cut"
    box.run(server.url(), "baseline", "save", box.session(1), "--force", "--store", store)
    for number, (kind, where) in enumerate(
        [("index.json", "request"), ("index.json", "answer"), ("/sessions/", "request"), ("/sessions/", "answer")], 2
    ):
        proxy = Proxy(server.port, lambda method, path, nth: where if method == "PUT" and kind in path and nth == 1 else None)
        box.run(proxy.url(), "baseline", "save", box.session(number), "--force", "--store", store)
        check(proxy.cuts == 1, f"{kind} {where}: cut {proxy.cuts} times")
        found = saved(box, server.url(), store)
        check(found == number, f"{kind} cut in the {where}: {found} sessions, not {number}")
    proxy = Proxy(server.port, lambda method, path, nth: "request" if method == "PUT" else None)
    began = time.time()
    text = box.run(proxy.url(), "baseline", "save", box.session(9), "--force", "--store", store, code=2)
    check("cannot write" in text, text)
    check(saved(box, server.url(), store) == 5, "a save that failed left nothing")
    print(f"cut connections: four saves went through once each; always cut, it gave up after {time.time() - began:.1f} s")


def sweep_and_save(box, server):
    """An object that is swept while somebody saves the same session again stays, whoever was first."""
    store, file = f"s3://{BUCKET}/sweep", box.session(1)
    save = ["baseline", "save", file, "--force", "--name", "main", "--store", store]
    gc = ["baseline", "gc", "--store", store]

    def stray():
        box.run(server.url(), *save)
        box.run(server.url(), "baseline", "rm", "main", "--store", store)
        server.age()

    stray()
    text = box.run(server.url(), *gc)
    check("1 objects that nothing refers to went" in text, text)
    acted = []

    def save_before_the_removal(method, path, nth):
        if not acted and (method == "DELETE" or method == "POST" and "delete" in path):
            acted.append(box.run(server.url(), *save))

    stray()
    box.run(Proxy(server.port, save_before_the_removal).url(), *gc)
    check(acted, "nothing was taken away")
    box.run(server.url(), "baseline", "show", "main", "--store", store)

    def sweep_before_the_swap(method, path, nth):
        if not acted and method == "PUT" and path.endswith("index.json"):
            server.age()
            acted.append(box.run(server.url(), *gc))

    box.run(server.url(), "baseline", "rm", "main", "--store", store)
    acted.clear()
    box.run(Proxy(server.port, sweep_before_the_swap).url(), *save)
    check(acted and "1 objects that nothing refers to went" in acted[0], acted)
    box.run(server.url(), "baseline", "show", "main", "--store", store)
    print("swept while it was saved again: the session is there, whoever was first")


def wrong_credentials(box):
    server = Server(free_actions=1)
    try:
        store = f"s3://{BUCKET}/x"
        for verb in (["baseline", "list"], ["baseline", "save", box.session(1), "--force"]):
            text = box.run(server.url(), *verb, "--store", store, code=2)
            check("access is refused (InvalidAccessKeyId)" in text and "AWS_ACCESS_KEY_ID" in text, text)
            check(KEYS["AWS_SECRET_ACCESS_KEY"] not in text, "the secret is in the message")
    finally:
        server.stop()
    print("wrong credentials: refused with what to look at, and no secret in the message")


def thousand_sessions(box, server):
    """34 baselines of 30 sessions, as files of version 1, which need no hashes, copied to the bucket."""
    folder = box.folder / "many"
    folder.mkdir()
    for baseline in range(34):
        sessions = [session(baseline * 1000 + at) for at in range(30)]
        plan, place = f"{baseline:064x}", "e" * 64
        file = {
            "schema": "perfgate-llm/baseline/1",
            "name": f"b{baseline}",
            "plan_hash": plan,
            "environment_hash": place,
            "last_saved_unix_s": 1_790_000_000,
            "history": sessions,
        }
        (folder / f"{plan}-{place}.json").write_text(json.dumps(file))
    store = f"s3://{BUCKET}/many"
    began = time.time()
    text = box.run(server.url(), "baseline", "copy", folder, store)
    check("34 baselines with 1020 sessions" in text, text)
    copied_s = time.time() - began
    server.counts()
    took = {}
    for verb in (["list"], ["show", "b17"]):
        times = []
        for _ in range(3):
            began = time.time()
            box.run(server.url(), "baseline", *verb, "--store", store)
            times.append(time.time() - began)
        counts = {key: count / 3 for key, count in server.counts().items()}
        took[verb[0]] = (min(times), counts)
    check(took["list"][1] == {"GET index": 1}, took["list"])
    check(took["show"][1].get("GET session") == 30, took["show"])
    check(set(took["show"][1]) == {"GET index", "GET session"}, took["show"])
    for verb, (seconds, counts) in took.items():
        print(f"1,020 sessions: `baseline {verb}` took {seconds:.2f} s, {counts}")
        check(seconds <= 1.0, f"`baseline {verb}` took {seconds:.2f} s")
    text = box.run(server.url(), "baseline", "gc", "--keep", "30", "--dry-run", "--store", store)
    check(text.count("30 sessions stay, 0 would go") == 34, text)
    print(f"1,020 sessions: copied in {copied_s:.1f} s")


def main():
    if sys.argv[1] == "--serve":
        return serve(int(sys.argv[2]))
    box, server = Box(sys.argv[1]), Server()
    try:
        contract(box, server)
        two_writers(box, server)
        cut_connection(box, server)
        sweep_and_save(box, server)
        wrong_credentials(box)
        thousand_sessions(box, server)
    finally:
        server.stop()
    print("all of it holds")


if __name__ == "__main__":
    main()
