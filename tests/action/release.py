"""A release of a binary of this tree, on an HTTPS server of our own; and the action as a runner would have fetched it."""

import hashlib
import http.server
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "acme-tools/perfgate"


def pack(binary, target, folder):
    """The archive as release.yml makes it."""
    made = subprocess.run(
        ["bash", ROOT / ".ci/pack", binary, target, folder], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(made.stdout.strip())


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def action(folder, archives):
    """The action's folder, with the archives pinned."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "action.yml", folder)
    shutil.copytree(ROOT / "action", folder / "action")
    lines = "".join(f"{sha256(archive)}  {archive.name}\n" for archive in archives)
    with (folder / "action/checksums.txt").open("a") as file:
        file.write(lines)
    return folder


class Server:
    """Serves files by the paths of GitHub's release downloads, over TLS with a certificate made on the spot."""

    def __init__(self, folder):
        folder = Path(folder)
        self.certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=perfgate test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.certificate],
            check=True, stderr=subprocess.DEVNULL,
        )
        self.files, self.requests = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers)))
                body = outer.files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"https://127.0.0.1:{self.http.server_address[1]}"

    def publish(self, archive, version="0.1.0", name=None):
        self.files[f"/{REPOSITORY}/releases/download/v{version}/{name or archive.name}"] = Path(archive).read_bytes()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
