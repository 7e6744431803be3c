#!/usr/bin/env python3
"""Stands for `kubectl` and a cluster: runs the pods of an indexed job as processes of this machine.

What `perfgate launch k8s` asks of a cluster, and no more. The cluster is the folder FAKE_CLUSTER: `claim/` is the shared volume, and
`secrets.json` has the Secrets. Paths of pods are rewritten to it, as nothing is mounted here.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(os.environ["FAKE_CLUSTER"])
CLAIM, PLAN = "/perfgate/", "/etc/perfgate"


def inside(text):
    return text.replace(CLAIM, f"{ROOT}/claim/")


def expanded(text, variables):
    """As Kubernetes does: `$(NAME)` where there is such a variable, and `$` for `$$`."""
    named = lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0])
    return re.sub(r"\$\$|\$\(([^)]*)\)", named, text)


def environment(container, index):
    secrets = json.loads((ROOT / "secrets.json").read_text())
    found = {name: os.environ[name] for name in ("PATH", "HOME")}
    found |= {"JOB_COMPLETION_INDEX": str(index), "FAKE_CLUSTER": str(ROOT)}
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        if "secretKeyRef" in source:
            value = secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        elif "fieldRef" in source:
            value = f"node-{index}"
        else:
            value = expanded(variable["value"], found)
        found[variable["name"]] = value
    return found


def create(file):
    for thing in yaml.safe_load_all(Path(file).read_text()):
        name = thing["metadata"]["name"]
        (ROOT / "objects" / f"{thing['kind'].lower()}-{name}").write_text(json.dumps(thing))
        if thing["kind"] == "Job":
            for index in range(thing["spec"]["completions"]):
                words = [sys.executable, __file__, "kubelet", name, str(index)]
                log = (ROOT / "pods" / f"{name}-{index}.log").open("w")
                subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def kubelet(name, index):
    """Runs one pod."""
    job = json.loads((ROOT / "objects" / f"job-{name}").read_text())
    spec = job["spec"]["template"]["spec"]
    [container] = spec["containers"]
    folder = ROOT / "pods" / f"{name}-{index}"
    folder.mkdir()
    for volume in spec["volumes"]:
        if "configMap" in volume:
            data = json.loads((ROOT / "objects" / f"configmap-{volume['configMap']['name']}").read_text())["data"]
            for item in volume["configMap"]["items"]:
                place = folder / item["path"]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(data[item["key"]])
    assert container.get("workingDir", PLAN) == PLAN
    variables = environment(container, index)
    words = [inside(expanded(word, variables)) for word in container["command"] + container["args"]]
    process = subprocess.Popen(words, cwd=folder, env=variables)
    state = folder.with_suffix(".json")
    state.write_text(json.dumps({"pid": process.pid}))
    code = process.wait()
    state.write_text(json.dumps({"pid": process.pid, "code": code if code >= 0 else 128 - code}))


def pods(name):
    """Index and state of each pod."""
    for file in sorted((ROOT / "pods").glob(f"{name}-*.json")):
        text = file.read_text()
        yield int(file.stem.rsplit("-", 1)[1]), json.loads(text) if text else {}


def job(name):
    codes = [state.get("code") for _, state in pods(name)]
    wanted = json.loads((ROOT / "objects" / f"job-{name}").read_text())["spec"]["completions"]
    status = {
        "active": wanted - sum(code is not None for code in codes),
        "succeeded": sum(code == 0 for code in codes),
        "failed": sum(bool(code) for code in codes),
    }
    if status["active"] == 0:
        failed = {"type": "Failed", "status": "True", "reason": "FailedIndexes"}
        status["conditions"] = [failed if status["failed"] else {"type": "Complete", "status": "True"}]
    return {"status": status}


def pod(name, index, state):
    code = state.get("code")
    ended = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
    return {
        "metadata": {"name": f"{name}-{index}", "annotations": {"batch.kubernetes.io/job-completion-index": str(index)}},
        "spec": {"nodeName": f"node-{index}"},
        "status": {"containerStatuses": [{"state": {"running": {}} if code is None else ended}]},
    }


def delete(things):
    for thing in things:
        kind, name = thing.split("/")
        (ROOT / "objects" / f"{kind}-{name}").unlink(missing_ok=True)
        if kind != "job":
            continue
        for _, state in pods(name):
            if state and "code" not in state:
                os.kill(state["pid"], signal.SIGTERM)
        while any("code" not in state for _, state in pods(name)):
            time.sleep(0.05)
        for file in (ROOT / "pods").glob(f"{name}-*"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()


def main(words):
    words = [word for word in words if not word.startswith("--namespace=")]
    with (ROOT / "calls").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    match words:
        case ["kubelet", name, index]:
            kubelet(name, int(index))
        case ["create", "--filename", file]:
            create(file)
        case ["get", "job", name, "--output=json"]:
            print(json.dumps(job(name)))
        case ["get", "pods", selector, "--output=json"]:
            name = selector.removeprefix("--selector=batch.kubernetes.io/job-name=")
            print(json.dumps({"items": [pod(name, *one) for one in pods(name)]}))
        case ["logs", name, "--tail=50"]:
            print((ROOT / "pods" / f"{name}.log").read_text(), end="")
        case ["wait", "--for=condition=Ready", name, *_]:
            assert (ROOT / "objects" / name.replace("/", "-")).exists(), name
        case ["exec", _, "--", *command]:
            sys.exit(subprocess.run([inside(f"{word}/").rstrip("/") if word.startswith("/") else word for word in command]).returncode)
        case ["delete", *rest]:
            delete([word for word in rest if not word.startswith("--")])
        case _:
            sys.exit(f"not a call that this cluster knows: {words}")


main(sys.argv[1:])
