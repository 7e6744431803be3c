#!/usr/bin/env bash
# Our client's requests and our fake's answers, held by Prism against GitHub's own description of its API. See README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/real/common.sh
source tests/real/common.sh

SPEC=tests/contract/gh-openapi-cut.json
NPM=$LAB/npm-prism
LOGS=$(mktemp -d)
PRISM=
trap 'stop_prism; rm -rf "$LOGS"' EXIT

install_prism() {
    need curl curl ca-certificates
    need python3 python3
    need npm nodejs npm
    cmp --silent tests/contract/package-lock.json "$NPM/installed.json" && return
    say "npm: Prism"
    mkdir -p "$NPM"
    cp tests/contract/package.json tests/contract/package-lock.json "$NPM"
    npm ci --silent --ignore-scripts --no-audit --no-fund --prefix "$NPM"
    cp tests/contract/package-lock.json "$NPM/installed.json"
}

# free_port: one that nobody listens on.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start_prism PORT ARGUMENT…: in the background, until it answers.
start_prism() {
    local port=$1 mode=$2 log=$LOGS/prism.log
    shift 2
    "$NPM/node_modules/.bin/prism" "$mode" -h 127.0.0.1 -p "$port" --errors "$SPEC" "$@" >"$log" 2>&1 &
    PRISM=$!
    local deadline=$((SECONDS + 60))
    until curl --silent --max-time 2 --output /dev/null "http://127.0.0.1:$port/"; do
        if ! kill -0 "$PRISM" 2>/dev/null || ((SECONDS > deadline)); then
            cat "$log" >&2
            die "Prism did not start on port $port"
        fi
        sleep 0.2
    done
}

stop_prism() {
    [[ -n $PRISM ]] || return 0
    kill "$PRISM" 2>/dev/null || true
    wait "$PRISM" 2>/dev/null || true
    PRISM=
}

locked install_prism
PORT=$(free_port)
FAKE=$(free_port)

say "the checker: bad requests are refused"
start_prism "$PORT" mock
bash tests/contract/t.sh "http://127.0.0.1:$PORT"
stop_prism

say "our client through the checker"
start_prism "$PORT" proxy "http://127.0.0.1:$FAKE"
if ! PERFGATE_CONTRACT_URL=http://127.0.0.1:$PORT PERFGATE_CONTRACT_PORT=$FAKE \
    cargo test --locked --test it github::contract:: -- --ignored --nocapture; then
    grep -i 'violation\|error' "$LOGS/prism.log" | tail -n 20 >&2
    die "a request or an answer is not as GitHub describes it"
fi
stop_prism
