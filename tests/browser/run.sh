#!/usr/bin/env bash
# Looks at pages that perfgate wrote, in Chromium: run.sh FOLDER_FOR_PICTURES PAGE.html…
# With LOOK=comments it renders the comments COMMENT.md… as GitHub does, and looks at those; with LOOK=images it only takes the pictures
# of docs/report.md: see images.sh.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/real/common.sh
source "$here/../real/common.sh"

NODE=$LAB/npm-browser
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || die "no Chromium; .ci/run installs one"
need npm nodejs npm
if ! cmp --silent "$here/package-lock.json" "$NODE/package-lock.json"; then
    say "npm: puppeteer-core, axe-core, marked"
    mkdir -p "$NODE"
    cp "$here/package.json" "$here/package-lock.json" "$NODE"
    npm ci --silent --ignore-scripts --no-audit --no-fund --prefix "$NODE"
fi
cp "$here"/*.mjs "$NODE"
exec node "$NODE/${LOOK:-check}.mjs" "$chromium" "$@"
