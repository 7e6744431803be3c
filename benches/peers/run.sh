#!/usr/bin/env bash
# perfgate beside its peers, on this machine: one command, one Markdown table. Ten minutes once everything is installed.
#
#   bash benches/peers/run.sh [--quick | --rounds N | --tools perfgate,vllm,… | --streams 64,256]
#
# `vllm bench serve` (3 GB of wheels), `aiperf` and `inference-perf` (Python 3.12 or newer) go into $PERFGATE_LAB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/real/common.sh
source tests/real/common.sh

# python_from MINOR: the first Python 3 of this minor version or newer, by its path.
python_from() {
    local python
    for python in python3 python3.{14,13,12} "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
        if "$python" -c "import sys; sys.exit(sys.version_info < (3, $1))" 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    die "inference-perf needs Python 3.$1 or newer; install one"
}

install_peers() {
    local python
    python=$(python_from 12)
    venv "$LAB/peers/aiperf" aiperf==0.13.0
    PYTHON=$python venv "$LAB/peers/inference-perf" inference-perf==0.7.0
}

# server: builds the server of known timing and tells where it is.
server() {
    cargo bench --locked --bench peers --no-run --message-format json 2>/dev/null |
        sed -n '/"name":"peers"/s/.*"executable":"\([^"]*\)".*/\1/p'
}

need python3 python3 python3-venv
bash tests/real/vllm.sh install
locked install_peers
say "cargo: perfgate and the server of known timing"
cargo build --quiet --release --locked
perfgate=${CARGO_TARGET_DIR:-target}/release/perfgate
exec python3 benches/peers/measure.py --perfgate "$(realpath "$perfgate")" --server "$(server)" "$@"
