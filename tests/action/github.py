"""GitHub on this machine, as far as a gate needs it: pull requests, comments, checks, and the files of a real repository. Its
shapes are those that tests/contract checks against GitHub's own description; this one is for the whole way, not for them."""

import base64
import http.server
import json
import re
import subprocess
import threading
import urllib.parse

BOT = {"login": "github-actions[bot]", "type": "Bot"}


class GitHub:
    def __init__(self, name, folder, may=("comment", "check", "status")):
        self.name, self.folder, self.may = name, folder, set(may)
        self.pulls, self.comments, self.checks, self.statuses, self.requests = {}, [], [], [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                path, _, query = self.path.partition("?")
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                query = dict(urllib.parse.parse_qsl(query))
                try:
                    status, value = outer.route(self.command, urllib.parse.unquote(path), query, body, self.headers)
                except KeyError:
                    status, value = 404, {"message": "Not Found"}
                data = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def open(self, number, head, base, body="", head_repository=None, author="alice"):
        self.pulls[number] = {
            "number": number, "state": "open", "locked": False, "body": body, "labels": [],
            "user": {"login": author, "type": "User"},
            "head": {"sha": head, "ref": "change", "repo": {"full_name": head_repository or self.name}},
            "base": {"sha": base, "ref": "main", "repo": {"full_name": self.name}},
        }
        return self.pulls[number]

    def writes(self):
        return [(method, path) for method, path, _, _ in self.requests if method != "GET" and path != "/graphql"]

    def refused(self):
        return 403, {"message": "Resource not accessible by integration"}

    def route(self, method, path, query, body, headers):
        if path == "/graphql":
            if "viewer" in body["query"]:
                return 200, {"data": {"viewer": {"login": BOT["login"]}}}
            comment = next(c for c in self.comments if c["node_id"] == body["variables"]["id"])
            comment["minimized"] = {"reason": "outdated"}
            return 200, {"data": {"minimizeComment": {"minimizedComment": {"isMinimized": True}}}}
        if path == "/user":
            return self.refused()
        prefix = f"/repos/{self.name}/"
        if not path.startswith(prefix):
            raise KeyError(path)
        return self.repository(method, path[len(prefix):], query, body, headers)

    def repository(self, method, path, query, body, headers):
        if match := re.fullmatch(r"pulls/(\d+)", path):
            return 200, self.pulls[int(match[1])]
        if match := re.fullmatch(r"commits/([0-9a-f]{40})/pulls", path):
            return 200, [pull for pull in self.pulls.values() if pull["head"]["sha"] == match[1]]
        if path == "pulls":
            return 200, [pull for pull in self.pulls.values() if pull["state"] == "open"] if query.get("page", "1") == "1" else []
        if match := re.fullmatch(r"issues/(\d+)/comments", path):
            return self.listed(method, int(match[1]), query, body)
        if match := re.fullmatch(r"issues/comments/(\d+)", path):
            return self.one(method, int(match[1]), body)
        if path == "check-runs" and method == "POST":
            if "check" not in self.may:
                return self.refused()
            check = {"id": 900 + len(self.checks), **body}
            check["output"] = {**body["output"], "annotations_count": len(body["output"].get("annotations", []))}
            self.checks.append(check)
            return 201, check
        if match := re.fullmatch(r"statuses/([0-9a-f]{40})", path):
            if "status" not in self.may:
                return self.refused()
            self.statuses.append({"sha": match[1], **body})
            return 201, self.statuses[-1]
        if match := re.fullmatch(r"contents/(.+)", path):
            return self.contents(match[1], query["ref"], headers.get("Accept", ""))
        if match := re.fullmatch(r"compare/([0-9a-f]{40})\.\.\.([0-9a-f]{40})", path):
            return self.compared(match[1], match[2], int(query["per_page"]), int(query["page"]))
        raise KeyError(path)

    def listed(self, method, pull, query, body):
        if method == "POST":
            if "comment" not in self.may:
                return self.refused()
            number = 1001 + len(self.comments)
            self.comments.append({
                "id": number, "node_id": f"IC_{number}", "user": BOT, "body": body["body"], "minimized": None,
                "html_url": f"https://github.com/{self.name}/pull/{pull}#issuecomment-{number}", "pull": pull,
            })
            return 201, self.comments[-1]
        per_page, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        mine = [comment for comment in self.comments if comment["pull"] == pull]
        return 200, mine[(page - 1) * per_page:page * per_page]

    def one(self, method, number, body):
        comment = next((comment for comment in self.comments if comment["id"] == number), None)
        if comment is None:
            raise KeyError(number)
        if method == "DELETE":
            self.comments.remove(comment)
            return 204, None
        if method == "PATCH":
            if "comment" not in self.may:
                return self.refused()
            comment["body"] = body["body"]
        return 200, comment

    def compared(self, base, head, per_page, page):
        fork = self.git("merge-base", base, head).decode().strip()
        words = {"A": "added", "D": "removed", "M": "modified"}
        changes = [line.split("\t") for line in self.git("diff", "--name-status", "--no-renames", fork, head).decode().splitlines()]
        commits = self.git("rev-list", "--reverse", f"{base}..{head}").decode().split()
        said = [{"sha": sha, "commit": {"message": self.git("log", "-1", "--format=%B", sha).decode(),
                                        "author": {"name": self.git("log", "-1", "--format=%an", sha).decode().strip()}}}
                for sha in commits]
        files = [{"filename": path, "status": words[word], "patch": "@@ -1 +1 @@"} for word, path in changes]
        return 200, {"merge_base_commit": {"sha": fork}, "total_commits": len(said), "files": files if page == 1 else [],
                     "commits": said[(page - 1) * per_page:page * per_page]}

    def contents(self, path, ref, accept):
        """The path at a commit, from git's own objects."""
        listed = self.git("ls-tree", ref, "--", path).split()
        if not listed:
            raise KeyError(path)
        kind = listed[1]
        if kind == b"tree":
            names = self.git("ls-tree", "--name-only", f"{ref}:{path}").decode().splitlines()
            entries = []
            for name in names:
                is_tree = self.git("cat-file", "-t", f"{ref}:{path}/{name}").strip() == b"tree"
                url = None if is_tree else f"https://raw.githubusercontent.com/{self.name}/{ref}/{path}/{name}"
                entries.append({"name": name, "path": f"{path}/{name}", "type": "dir" if is_tree else "file", "download_url": url})
            return 200, {"type": "dir", "path": path, "entries": entries}
        data = self.git("show", f"{ref}:{path}")
        if "raw" in accept:
            return 200, data
        if len(data) > 1_000_000:
            return 200, {"type": "file", "path": path, "encoding": "none", "content": ""}
        return 200, {"type": "file", "path": path, "encoding": "base64", "content": base64.encodebytes(data).decode()}

    def git(self, *args):
        return subprocess.run(["git", "-C", self.folder, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
