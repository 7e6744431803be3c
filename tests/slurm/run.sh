#!/usr/bin/env bash
# `perfgate launch slurm` on a real Slurm of four nodes on this machine, against `perfgate sim`; needs root.
#
#   run.sh PERFGATE_BINARY
#
# 1. four shards measure what one machine does; 2. a worker is killed in the middle: exit 4, the session says which, the others' records
# are kept; 3. Ctrl-C; 4. no `sbatch`. Nothing is left over: no job, no process, no file.
set -euo pipefail
# shellcheck source=tests/real/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../real/common.sh"
SLURM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PERFGATE=$(realpath "${1:?"run.sh PERFGATE_BINARY"}")
((EUID == 0)) || exec sudo -- "$0" "$@"
# One at a time: the cluster's ports are fixed.
if [[ ${PERFGATE_SLURM_LOCKED:-} != 1 ]]; then
    export PERFGATE_SLURM_LOCKED=1
    locked "$0" "$@"
    exit
fi

LAB_OF_SLURM=$(mktemp -d)
# Blanks and signs that a shell or Slurm might take for their own.
OUT="$LAB_OF_SLURM/a shared % folder, it's"
mkdir -p "$OUT"
cd "$OUT" # no perfgate.yaml of the repository may speak here
for variable in $(compgen -v PERFGATE_) $(compgen -v GITHUB_); do
    [[ $variable == PERFGATE_SLURM_LOCKED || $variable == PERFGATE_LAB ]] || unset "$variable"
done
HAD_MUNGE=
munge -n >/dev/null 2>&1 && HAD_MUNGE=1
SIM=

# end PID: asks it to end, and waits until it is gone.
end() {
    kill "$1" 2>/dev/null || return 0
    for _ in {1..100}; do
        # Nobody may be there to wait for daemons: the dead are gone, too.
        [[ $(ps -o stat= -p "$1" 2>/dev/null) == [!Z]* ]] || return 0
        sleep .1
    done
    kill -KILL "$1" 2>/dev/null || true
}

down() {
    local file
    cd /
    [[ -z $SIM ]] || end "$SIM"
    scancel --full --user=root 2>/dev/null || true
    for file in "$LAB_OF_SLURM"/cluster/*.pid; do
        [[ ! -f $file ]] || end "$(<"$file")"
    done
    [[ -n $HAD_MUNGE ]] || ! [[ -f /run/munge/munged.pid ]] || end "$(</run/munge/munged.pid)"
    rm -rf "$LAB_OF_SLURM"
}
trap down EXIT

say "Slurm: four nodes"
conf=$("$SLURM/up.sh" "$LAB_OF_SLURM/cluster" 4)
eval "$conf"

"$PERFGATE" sim --port 0 --decode-step-us 5000 --step-noise-pct 0 --drift-pct 0 >sim.log &
SIM=$!
for _ in {1..50}; do
    URL=$(grep --only-matching 'http://[0-9.:]*' sim.log || true)
    [[ -z $URL ]] || break
    sleep .1
done
[[ -n $URL ]] || die "the engine does not serve"

PLAN=(--url "$URL" --rate 40 --requests 80 --warmup 8 --repeat 3 --input-tokens 16 --output-tokens 8 --seed 7 --quiet)
# A key goes by the environment, and stands nowhere.
export LAB_KEY=CANARY-0123456789-of-the-lab
KEY=(--api-key-env LAB_KEY)

# nothing_runs: no job, and no worker.
nothing_runs() {
    [[ -z $(squeue --noheader) ]] || die "a job is left over: $(squeue --noheader)"
    if pgrep --full "$PERFGATE run" >/dev/null; then die "a worker is left over: $(pgrep --full --list-full "$PERFGATE run")"; fi
}

# worker N: the process of the N-th shard's perfgate and that of its shell.
worker() {
    local pid
    for pid in $(pgrep --full "/shard-$1.json" || true); do
        [[ $(readlink "/proc/$pid/exe") != "$PERFGATE" ]] || printf '%s %s\n' "$pid" "$(ps -o ppid= -p "$pid")"
    done
}

# launched ARGUMENT…: one shard for each node, twice where the machine was too busy for its clients.
launched() {
    exits 0 4 -- "$PERFGATE" launch slurm --shards 4 --sbatch "--comment=it's a \"test\"" --sbatch '--time 5' "${PLAN[@]}" "${KEY[@]}" "$@"
    ((status == 0)) && return
    say "this machine was busy; once more"
    rm -rf perfgate-shards-*
    exits 0 -- "$PERFGATE" launch slurm --shards 4 "${PLAN[@]}" "${KEY[@]}" "$@"
}

say "the script says no secret"
"$PERFGATE" launch slurm --shards 4 "${PLAN[@]}" "${KEY[@]}" --dry-run >job.sh
bash -n job.sh
if grep --quiet "$LAB_KEY" job.sh; then die "the key stands in the script"; fi

say "one machine"
exits 0 4 -- "$PERFGATE" run "${PLAN[@]}" "${KEY[@]}" --output one.json >/dev/null
((status == 0)) || exits 0 -- "$PERFGATE" run "${PLAN[@]}" "${KEY[@]}" --output one.json >/dev/null

say "four shards"
launched --output four.json >four.txt
nothing_runs
# shellcheck disable=SC2012
[[ $(ls -A | tr '\n' ' ') == "four.json four.txt job.sh one.json sim.log " ]] || die "files are left over: $(ls -A)"
python3 - <<'P'
import json
one, four = (json.load(open(f"{name}.json")) for name in ("one", "four"))
[one_cell], [four_cell] = one["cells"], four["cells"]
assert one_cell["schedule_sha256"] == four_cell["schedule_sha256"], "another schedule"
# Where it stands, unless it says otherwise.
places = lambda run: [request.get("index", place) for place, request in enumerate(run["requests"])]
sent = lambda cell: [sorted(places(run)) for run in cell["runs"]]
assert sent(one_cell) == sent(four_cell) == [list(range(80))] * 3, "other requests"
assert any(note == "merged from 4 shards" for note in four["notes"]), four["notes"]
P
exits 0 1 3 -- "$PERFGATE" compare one.json four.json >compared.txt
if ((status == 1)); then
    # A neighbour that came between the two sessions is a real change. Twice in a row is a fault.
    say "the metrics differ; once more"
    exits 0 -- "$PERFGATE" run "${PLAN[@]}" "${KEY[@]}" --output one.json >/dev/null
    launched --output four.json >four.txt
    exits 0 3 -- "$PERFGATE" compare one.json four.json >compared.txt
fi

say "the third worker is killed in the middle"
"$PERFGATE" launch slurm --shards 4 --dir killed "${PLAN[@]}" "${KEY[@]}" --output killed.json >killed.txt 2>killed.err &
LAUNCHER=$!
for _ in {1..300}; do
    # In its second run: the first one is kept.
    [[ -z $(find killed -name cell0-run1.go 2>/dev/null) ]] || break
    sleep .1
done
sleep 2.5
begun=$SECONDS
# The shell that would say so goes with it.
read -r pid shell < <(worker 3) || die "no third worker: $(cat killed.err)"
kill -KILL "$shell" "$pid"
exits 4 -- wait "$LAUNCHER"
((SECONDS - begun < 20)) || die "the others waited for the dead one"
nothing_runs
grep --quiet 'shard 3/4 died: .*on n3' killed.err || die "nobody says which worker died: $(cat killed.err)"
left=$(find killed -name 'shard-[124].json' | wc -l)
((left == 3)) || die "the others' sessions are gone"
grep --quiet "is in \`.*/killed/" killed.err || die "nobody says where they are: $(cat killed.err)"
python3 - <<'P'
import json
session = json.load(open("killed.json"))
reason = session["ended"]["aborted"]
assert "shard 3/4 died" in reason and "on n3" in reason and "FAILED" in reason, reason
first, second = session["cells"][0]["runs"][:2]
assert len(first["requests"]) == 80, "the run before is whole"
places = [request.get("index", place) for place, request in enumerate(second["requests"])]
assert {place % 4 for place in places} == {0, 1, 3} and len(places) == 60, "the others' records"
assert "shard 3/4" in second["cut_short"], second["cut_short"]
P
if grep --recursive --quiet "$LAB_KEY" .; then die "the key stands in a file: $(grep --recursive --files-with-matches "$LAB_KEY" .)"; fi

say "Ctrl-C"
"$PERFGATE" launch slurm --shards 4 --dir stopped "${PLAN[@]}" "${KEY[@]}" --output stopped.json >stopped.txt 2>stopped.err &
LAUNCHER=$!
for _ in {1..300}; do
    [[ -z $(find stopped -name cell0-run1.go 2>/dev/null) ]] || break
    sleep .1
done
kill -TERM "$LAUNCHER" # a shell's background job hears no SIGINT
exits 4 -- wait "$LAUNCHER"
nothing_runs
grep --quiet 'was interrupted' stopped.err || die "$(cat stopped.err)"
python3 -c 'import json; assert len(json.load(open("stopped.json"))["cells"][0]["runs"][0]["requests"]) == 80'

say "Ctrl-C while the job waits"
"$PERFGATE" launch slurm --shards 4 --dir waiting --sbatch --begin=now+1hour "${PLAN[@]}" --output waiting.json >waiting.txt 2>waiting.err &
LAUNCHER=$!
for _ in {1..100}; do
    [[ -z $(squeue --noheader) ]] || break
    sleep .1
done
kill -TERM "$LAUNCHER"
exits 4 -- wait "$LAUNCHER"
nothing_runs
grep --quiet 'interrupted: nothing was measured' waiting.err || die "$(cat waiting.err)"
[[ ! -e waiting.json && -z $(find waiting -mindepth 1) ]] || die "files are left over"

say "no Slurm"
PATH=/nowhere exits 2 -- "$PERFGATE" launch slurm --shards 4 "${PLAN[@]}" "${KEY[@]}" --dir none --output none.json 2>none.err
grep --quiet 'login node' none.err || die "$(cat none.err)"
[[ -z $(find none -mindepth 1) ]] || die "files are left over"

down
trap - EXIT
[[ -z $(pgrep --full "$LAB_OF_SLURM" || true) ]] || die "processes are left over"
say "tests/slurm: all as promised, $SECONDS s"
