#!/usr/bin/env bash
# run.sh BINARY [TEST…]: the action, step by step as GitHub's runner would, on this machine. See docs/ci.md.
set -euo pipefail
PERFGATE_BINARY=$(realpath "$1")
export PERFGATE_BINARY
shift
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/real/common.sh
source ../real/common.sh

need curl curl ca-certificates
need openssl openssl
need git git
need python3 python3 python3-venv
venv "$LAB/venv-action" ruamel.yaml==0.19.1
if (($# == 0)); then
    set -- discover --start-directory .
fi
exec "$LAB/venv-action/bin/python" -B -m unittest "$@"
