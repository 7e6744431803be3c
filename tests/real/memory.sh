#!/usr/bin/env bash
# The memory gate against a server that nobody here wrote, on a machine without a GPU: llama.cpp's, with a tiny random model.
#
#   memory.sh PERFGATE_BINARY [FOLDER]
#
# 1. the same KV cache on both arms passes; 2. one of half the size is a regression of the memory gate, although no device memory
# can be measured. Reports land in FOLDER (default: a temporary one, removed when all is well).
set -euo pipefail
# shellcheck source=tests/real/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PERFGATE=$(realpath "${1:?"memory.sh PERFGATE_BINARY [FOLDER]"}")
KEEP=${2:-}
OUT=${KEEP:-$(mktemp -d)}
mkdir -p "$OUT"
OUT=$(realpath "$OUT")
"$HERE/llama-server.sh" install
cd "$OUT" # no perfgate.yaml of the repository may speak here

# with TOKENS: the server's command with a KV cache of that room, in eight slots.
with() {
    printf '%s' "$LAB/llama/build/bin/llama-server --model $LAB/model/tiny-llama.gguf --alias tiny --host 127.0.0.1" \
        " --port {port} --ctx-size $1 --parallel 8 --threads 1 --metrics"
}

# gate NAME TOKENS VERDICT: 8192 tokens on the baseline, so many on the candidate.
gate() {
    say "8192 tokens of KV cache against $2"
    # Only the memory gate is asked here; a profile is owed where it fires.
    "$PERFGATE" gate --ab --baseline-command "$(with 8192)" --candidate-command "$(with "$2")" --model tiny \
        --api completions --concurrency 4 --requests 40 --warmup 4 --input-tokens 32 --output-tokens 32 --looks 3 \
        --metrics-interval 100ms --gate tpot_p95=off --gate ttft_p95=off --gate output_tokens_per_s=off --quiet \
        --output "$1.json" --store "$1-store" --report-dir "$1" >/dev/null || (($? == 3)) || die "exit $?"
    python3 "$HERE/check.py" check "$1/report.json" kv_cache_capacity_tokens "$3"
}

gate same 8192 pass
gate half 4096 regression

cd /
[[ -n $KEEP ]] || rm -rf "$OUT"
say "tests/real/memory.sh: all as promised"
