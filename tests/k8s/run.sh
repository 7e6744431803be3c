#!/usr/bin/env bash
# `perfgate launch k8s` without a cluster.
#
#   run.sh PERFGATE_BINARY
#
# 1. what it prints, and the example, are valid by the schemas of Kubernetes (`kubernetes-validate`, from PyPI); 2. the whole way against
# `perfgate sim`, with `cluster.py` in the place of kubectl and a cluster: its pods are processes that run the job's own command; 3. a pod
# killed in the middle. No real kubelet, scheduler or volume takes part.
set -euo pipefail
# shellcheck source=tests/real/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../real/common.sh"
K8S=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PERFGATE=$(realpath "${1:?"run.sh PERFGATE_BINARY"}")
OLDEST=1.29 # the first that has backoffLimitPerIndex without being asked to
export FAKE_CLUSTER
OUT=$(mktemp -d)
FAKE_CLUSTER=$OUT/cluster
SIM=
finish() {
    cd /
    [[ -z $SIM ]] || kill "$SIM"
    rm -rf "$OUT"
}
trap finish EXIT
for variable in $(compgen -v PERFGATE_) $(compgen -v GITHUB_); do
    [[ $variable == PERFGATE_LAB ]] || unset "$variable"
done

locked venv "$LAB/venv-k8s" kubernetes-validate==1.37.0 pyyaml==6.0.4
valid() {
    local version
    for version in "$OLDEST" 1.37; do
        "$LAB/venv-k8s/bin/kubernetes-validate" --strict --quiet --kubernetes-version "$version" "$@"
    done
}

mkdir -p "$OUT/work" "$OUT/bin" "$FAKE_CLUSTER"/{objects,pods,claim}
ln -s "$PERFGATE" "$OUT/bin/perfgate"
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$LAB/venv-k8s/bin/python" "$K8S/cluster.py" >"$OUT/bin/kubectl"
chmod +x "$OUT/bin/kubectl"
export PATH=$OUT/bin:$PATH
export LAB_KEY=CANARY-0123456789-of-the-lab
printf '{"perfgate": {"LAB_KEY": "%s"}}' "$LAB_KEY" >"$FAKE_CLUSTER/secrets.json"
cd "$OUT/work"

"$PERFGATE" sim --port 0 --decode-step-us 5000 --step-noise-pct 0 --drift-pct 0 >"$OUT/sim.log" &
SIM=$!
for _ in {1..50}; do
    URL=$(grep --only-matching 'http://[0-9.:]*' "$OUT/sim.log" || true)
    [[ -z $URL ]] || break
    sleep .1
done
[[ -n $URL ]] || die "the engine does not serve"

# A configuration with prompts beside it, and signs that YAML might take for its own.
cat >perfgate.yaml <<Y
# it's "quoted": {not: a, map}
target:
  url: $URL
  api_key_env: LAB_KEY
dataset: data/prompts.jsonl
rate: 40
num_requests: 80
warmup_requests: 8
repeat: 2
seed: 7
Y
mkdir data
for i in {1..40}; do printf '{"prompt": "question %d: what is \\"%d\\" — and why?", "output_tokens": 8}\n' "$i" "$i"; done >data/prompts.jsonl

LAUNCH=(launch k8s --shards 4 --image registry.example/perfgate:1 --claim shared --namespace perf)
say "what is printed is valid, and says no secret"
"$PERFGATE" "${LAUNCH[@]}" --dry-run >printed.yaml
valid printed.yaml "$K8S"/../../examples/kubernetes/{claim,job}.yaml
if grep --quiet "$LAB_KEY" printed.yaml; then die "the key stands in the objects"; fi
grep --quiet 'key: LAB_KEY' printed.yaml || die "the key is not told to the pods"

# ended CODE FILE ARGUMENT…: launches, twice where the machine was too busy for its clients.
ended() {
    local code=$1 file=$2 got=0
    shift 2
    "$PERFGATE" "${LAUNCH[@]}" --quiet --output "$file.json" "$@" >"$file.txt" 2>"$file.err" || got=$?
    [[ $got == "$code" ]] || die "exit $got, not $code: $(cat "$file.err")"
}
nothing_is_left() {
    [[ -z $(find "$FAKE_CLUSTER"/objects "$FAKE_CLUSTER"/claim -mindepth 1) ]] || die "left over: $(ls -R "$FAKE_CLUSTER")"
}

say "four pods"
(ended 0 four) || {
    say "this machine was busy; once more"
    rm -rf perfgate-shards-*
    ended 0 four
}
nothing_is_left
[[ -z $(find . -name 'perfgate-shards-*') ]] || die "files are left over"
python3 - <<'P'
import json
session = json.load(open("four.json"))
for run in session["cells"][0]["runs"]:
    places = [request.get("index", place) for place, request in enumerate(run["requests"])]
    assert sorted(places) == list(range(80)), "other requests"
assert any(note == "merged from 4 shards" for note in session["notes"]), session["notes"]
P

say "the third pod is killed in the middle"
ended 4 killed &
LAUNCHER=$!
for _ in {1..300}; do
    [[ -z $(find "$FAKE_CLUSTER/claim" -name cell0-run1.go) ]] || break
    sleep .1
done
sleep 2.5
# As where a pod is out of memory: its shell goes, too.
for pid in $(pgrep --full "^perfgate run .*--shard auto"); do
    tr '\0' '\n' <"/proc/$pid/environ" | grep --quiet "^FAKE_CLUSTER=$FAKE_CLUSTER\$" || continue
    tr '\0' '\n' <"/proc/$pid/environ" | grep --quiet '^JOB_COMPLETION_INDEX=2$' || continue
    kill -KILL "$(ps -o ppid= -p "$pid" | tr -d ' ')" "$pid"
done
wait "$LAUNCHER"
nothing_is_left
grep --quiet 'shard 3/4 died: exit code 137 on node-2' killed.err || die "nobody says which pod died: $(cat killed.err)"
(($(find . -name 'shard-[124].json' | wc -l) == 3)) || die "the others' sessions are gone"
python3 - <<'P'
import json
session = json.load(open("killed.json"))
assert "shard 3/4 died" in session["ended"]["aborted"] and "FailedIndexes" in session["ended"]["aborted"], session["ended"]
assert [len(run["requests"]) for run in session["cells"][0]["runs"]] == [80, 60], "the others' records"
P
if grep --recursive --quiet "$LAB_KEY" .; then die "the key stands in a file"; fi
rm -rf perfgate-shards-*

say "Ctrl-C"
"$PERFGATE" "${LAUNCH[@]}" --quiet --output stopped.json >stopped.txt 2>stopped.err &
LAUNCHER=$!
for _ in {1..300}; do
    [[ -z $(find "$FAKE_CLUSTER/claim" -name cell0-run1.go) ]] || break
    sleep .1
done
kill -TERM "$LAUNCHER" # a shell's background job hears no SIGINT
got=0
wait "$LAUNCHER" || got=$?
((got == 4)) || die "exit $got, not 4: $(cat stopped.err)"
nothing_is_left
grep --quiet 'was interrupted' stopped.err || die "$(cat stopped.err)"
say "tests/k8s: all as promised, $SECONDS s"
