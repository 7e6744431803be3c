#!/usr/bin/env bash
# Baselines in S3, against a real server process (moto): two writers, a cut connection, a sweep beside a save,
# wrong credentials, a thousand sessions.
#
# Usage: tests/store/run.sh [PERFGATE]. Needs python3; moto comes from PyPI into a folder of its own (PERFGATE_MOTO_VENV).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
perfgate=${1:-$here/../../target/debug/perfgate}
venv=${PERFGATE_MOTO_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/perfgate-moto}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import moto.server' 2>/dev/null || "$venv/bin/pip" install --quiet 'moto[s3,server]==5.2.5'
exec "$venv/bin/python" "$here/s3.py" "$perfgate"
