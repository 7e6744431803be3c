#!/usr/bin/env bash
# Holds what `perfgate export` writes against the readers themselves: Prometheus' promtool and its own OpenMetrics parser, libxml2's
# xmllint. It installs them.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/real/common.sh
source "$here/../real/common.sh"

need promtool prometheus
need xmllint libxml2-utils
cd "$here/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --locked --test it -- --nocapture render::export:: | tee "$log"
if grep --quiet '^skipped:' "$log"; then
    die "a check was skipped although its tool is there"
fi

# OpenMetrics is stricter than the older text format that promtool reads.
venv "$LAB/venv-openmetrics" prometheus-client==0.26.0
python=$LAB/venv-openmetrics/bin/python
cargo run --quiet --locked -- export tests/data/store/session-0.1.0-first.json --to openmetrics |
    "$python" -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
assert len(families) > 10, families
print(f"OpenMetrics: {len(families)} families")'
