#!/usr/bin/env bash
# Makes the pictures of docs/report.md from real measurements of the embedded engine: images.sh PERFGATE [FOLDER]
# Takes four minutes; FOLDER keeps what was measured and is used again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/real/common.sh
source "$here/../real/common.sh"

perfgate=$(realpath "${1:?give the program}")
lab=${2:-$(mktemp -d)}
images=$(cd "$here/../.." && pwd)/docs/images
mkdir -p "$lab" "$images"
cd "$lab"
trap 'halt sim 8127' EXIT

# measure NAME SIM_FLAGS FLAG…: one session against an engine of its own.
measure() {
    local name=$1 flags=$2
    shift 2
    [[ -f $name.json ]] && return
    say "measuring $name"
    # shellcheck disable=SC2086
    launch sim 8127 20 "$perfgate" sim --port 8127 --decode-step-us 2500 $flags
    # A busy machine spoils a run now and then.
    for _ in 1 2 3; do
        rm -f "$name.json"
        "$perfgate" run --url http://127.0.0.1:8127 --extra-body '{"ignore_eos": true}' --input-tokens 64 \
            --output-tokens 12..20 --output "$name.json" "$@" >/dev/null 2>&1 && break
    done
    halt sim 8127
}

# page NAME FLAG…: whatever the verdict answers.
page() {
    local name=$1
    shift
    "$perfgate" compare "$@" --format html >"$name.html" || true
}

if [[ ! -d demo ]]; then
    say "the demo, slowed and not"
    "$perfgate" demo >/dev/null && mv perfgate-demo demo
    "$perfgate" demo --clean >/dev/null && mv perfgate-demo clean
fi
ladder=(--concurrency '1,2,4,8,16,32' --requests 100 --repeat 3 --slo ttft=60ms)
measure base '' "${ladder[@]}"
measure slower '--slow tpot=25%' "${ladder[@]}"
measure few '--slow tpot=4%' --concurrency 4 --requests 200 --repeat 2
measure other '' --concurrency 4 --requests 200 --repeat 2
page regression demo/baseline.json demo/candidate.json
page pass clean/baseline.json clean/candidate.json
page inconclusive other.json few.json
page incomparable base.json few.json
page no-baseline few.json
page ladder base.json slower.json
LOOK=images bash "$here/run.sh" "$images" ./*.html
