#!/usr/bin/env bash
# Installs perfgate from a release archive whose SHA-256 is pinned beside this script. Called by action.yml with INPUT_* and
# the runner's environment; needs bash (3.2 will do), curl, tar, awk, and sha256sum or shasum. See docs/github.md.
set -euo pipefail
umask 077

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NAME=perfgate
OLDEST_GLIBC_MINOR=28

# quoted TEXT: as the data of a workflow command, so that a value can begin no command of its own.
quoted() {
    local text=$1
    text=${text//'%'/%25}
    text=${text//$'\r'/%0D}
    text=${text//$'\n'/%0A}
    printf '%s' "$text"
}
fail() {
    printf '::error title=perfgate::%s\n' "$(quoted "$1")"
    exit 1
}
warn() { printf '::warning title=perfgate::%s\n' "$(quoted "$1")"; }
say() { printf 'perfgate: %s\n' "$1"; }

sha256() {
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1"
    else
        shasum -a 256 <"$1"
    fi | awk '{ print $1 }'
}

# targets: what runs here, best first. The static binaries cannot load NVIDIA's library, so they come last.
targets() {
    local system machine glibc
    system=$(uname -s)
    machine=$(uname -m)
    case $machine in
        x86_64 | amd64) machine=x86_64 ;;
        aarch64 | arm64) machine=aarch64 ;;
        *) fail "perfgate has no release for the processor $machine; use \`version: path\` or \`fallback: cargo-install\`" ;;
    esac
    case $system-$machine in
        Linux-*)
            glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null || true)
            if [[ $glibc =~ ^glibc\ 2\.([0-9]+) ]] && ((BASH_REMATCH[1] >= OLDEST_GLIBC_MINOR)); then
                printf '%s-unknown-linux-gnu\n' "$machine"
            fi
            printf '%s-unknown-linux-musl\n' "$machine"
            ;;
        Darwin-aarch64) printf 'aarch64-apple-darwin\n' ;;
        *) fail "perfgate has no release for $system on $machine; use \`version: path\` or \`fallback: cargo-install\`" ;;
    esac
}

# pinned_sha FILE: its line in checksums.txt, or nothing.
pinned_sha() { awk -v file="$1" '$1 !~ /^#/ && $2 == file { print $1; exit }' "$HERE/checksums.txt"; }

pinned_version() {
    awk -v name="$NAME" '$1 !~ /^#/ && NF == 2 { file = $2 }
        END { sub("^" name "-v", "", file); if (match(file, /-(x86_64|aarch64)-/)) print substr(file, 1, RSTART - 1) }' \
        "$HERE/checksums.txt"
}

# choose VERSION: sets FILE and SHA to the best archive that is pinned for this machine, or leaves SHA empty.
choose() {
    local target all pinned
    all=$(targets) || {
        printf '%s\n' "$all"
        exit 1
    }
    FILE='' SHA=''
    for target in $all; do
        pinned=$(pinned_sha "$NAME-v$1-$target.tar.gz")
        [[ -n $FILE && -z $pinned ]] && continue
        FILE=$NAME-v$1-$target.tar.gz SHA=$pinned
        [[ -n $pinned ]] && break
    done
    [[ -n $INPUT_CHECKSUM ]] || return 0
    [[ $INPUT_CHECKSUM =~ ^[0-9a-f]{64}$ ]] || fail "checksum: give 64 hex digits in lower case"
    [[ -z $SHA || $SHA == "$INPUT_CHECKSUM" ]] || fail "checksum: $FILE is pinned with another one, $SHA"
    SHA=$INPUT_CHECKSUM
}

# take_cached: copies the archive before it is hashed, since other jobs of this machine can write the cache.
take_cached() {
    [[ -n $CACHE && -f $CACHE/$FILE ]] || return 1
    cp "$CACHE/$FILE" "$WORK/$FILE" 2>/dev/null || return 1
    [[ $(sha256 "$WORK/$FILE") == "$SHA" ]] && return
    warn "$CACHE/$FILE is not what was released; it is fetched again"
    return 1
}

keep_cached() {
    [[ -n $CACHE ]] || return 0
    # Whole or not at all: two jobs may write at once.
    if ! { mkdir -p "$CACHE" && cp "$WORK/$FILE" "$CACHE/.$FILE.$$" && mv -f "$CACHE/.$FILE.$$" "$CACHE/$FILE"; } 2>/dev/null; then
        say "could not keep the archive in $CACHE"
    fi
}

# download VERSION: from the server that the action runs on, else from github.com, as where the action came through GitHub
# Connect. Whoever answers, the hash decides.
download() {
    local server servers=${GITHUB_SERVER_URL:-https://github.com}
    [[ $servers == https://github.com ]] || servers="$servers https://github.com"
    for server in $servers; do
        say "fetching $FILE from $server"
        # First of all: no ~/.curlrc of this machine.
        curl --disable --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 5 --connect-timeout 20 \
            --max-time 120 --output "$WORK/$FILE" "$server/$PERFGATE_ACTION_REPOSITORY/releases/download/v$1/$FILE" || continue
        [[ $(sha256 "$WORK/$FILE") == "$SHA" ]] ||
            fail "$FILE from $server has the SHA-256 $(sha256 "$WORK/$FILE"), not the pinned $SHA; nothing was installed"
        return
    done
    fail "could not fetch $FILE; on a machine without a way out, install perfgate yourself and use \`version: path\`"
}

# attested: whether the archive was built by this repository's own release workflow. The token goes to gh alone.
attested() {
    GH_TOKEN=$TOKEN gh attestation verify "$WORK/$FILE" --repo "$PERFGATE_ACTION_REPOSITORY" \
        --signer-workflow "$PERFGATE_ACTION_REPOSITORY/.github/workflows/release.yml" >&2
}

# check_attestation FRESH: the hash stands either way, so `auto` only warns.
check_attestation() {
    case $INPUT_VERIFY_ATTESTATION in
        required)
            command -v gh >/dev/null || fail "verify-attestation: required, but \`gh\` is not on PATH"
            attested || fail "$FILE has no attestation by $PERFGATE_ACTION_REPOSITORY that \`gh\` could verify"
            ;;
        auto)
            if [[ $1 == fresh && -n $TOKEN ]] && command -v gh >/dev/null; then
                attested || warn "\`gh\` could not verify the attestation of $FILE; its SHA-256 is the pinned one"
            fi
            ;;
    esac
}

# from_release VERSION: fetches, checks and unpacks; sets BIN.
from_release() {
    if take_cached; then
        say "$FILE from the tool cache"
        check_attestation cached
    else
        download "$1"
        check_attestation fresh
        keep_cached
    fi
    mkdir "$WORK/bin"
    tar -xzf "$WORK/$FILE" -C "$WORK/bin" "$NAME" || fail "$FILE holds no $NAME"
    rm "$WORK/$FILE"
    BIN=$WORK/bin/$NAME
}

# from_source: builds the commit of the action that runs, not a package of this name from a registry. Sets BIN.
from_source() {
    command -v cargo >/dev/null || fail "fallback: cargo-install, but \`cargo\` is not on PATH"
    say "building perfgate from $HERE/.."
    CARGO_TARGET_DIR=$WORK/target cargo install --locked --path "$HERE/.." --root "$WORK" --bin "$NAME" >&2 ||
        fail "cargo could not build perfgate"
    rm -rf "$WORK/target"
    BIN=$WORK/bin/$NAME
}

# from_path: sets BIN.
from_path() {
    BIN=$(command -v "$NAME" || true)
    [[ -n $BIN ]] || fail "version: path, but there is no \`perfgate\` on PATH"
}

install() {
    local version=$INPUT_VERSION
    [[ -n $version ]] || version=$(pinned_version)
    # A first release is still to come where nothing is pinned.
    FILE=$NAME SHA=''
    if [[ -n $version ]]; then
        [[ $version =~ ^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$ ]] ||
            fail "version: \`$version\` is no release; give one such as 0.1.0, or \`path\`"
        choose "$version"
    fi
    if [[ -n $SHA ]]; then
        CACHE=${RUNNER_TOOL_CACHE:+$RUNNER_TOOL_CACHE/$NAME/$version}
        from_release "$version"
    elif [[ $INPUT_FALLBACK == cargo-install && -z $INPUT_VERSION ]]; then
        from_source
    else
        fail "$FILE has no pinned SHA-256 in this commit of the action; give its \`checksum\`, use a commit that pins it, or \`version: path\`"
    fi
}

check_inputs() {
    case $INPUT_VERIFY_ATTESTATION in
        auto | required | off) ;;
        *) fail "verify-attestation: \`$INPUT_VERIFY_ATTESTATION\` is none of auto, required, off" ;;
    esac
    case $INPUT_FALLBACK in
        none | cargo-install) ;;
        *) fail "fallback: \`$INPUT_FALLBACK\` is none of none, cargo-install" ;;
    esac
    [[ $PERFGATE_ACTION_REPOSITORY =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] ||
        fail "\`$PERFGATE_ACTION_REPOSITORY\` is no repository"
}

# ours: another tool installs a binary of the same name.
ours() { "$BIN" schema config 2>/dev/null | awk '/perfgate-llm\// { found = 1 } END { exit !found }'; }

TOKEN=${INPUT_GITHUB_TOKEN:-}
unset INPUT_GITHUB_TOKEN
check_inputs
WORK=$(mktemp -d "${RUNNER_TEMP:?}/perfgate.XXXXXXXX")
if [[ $INPUT_VERSION == path ]]; then
    from_path
else
    install
fi
[[ -f $BIN && -x $BIN ]] || fail "$BIN is no program"
ours || fail "$BIN does not run here, or is another tool of the name perfgate"
VERSION=$("$BIN" --version)
say "$VERSION, $BIN"
[[ $BIN != *[$'\r\n']* ]] || fail "the path of perfgate holds a line break"
if [[ $INPUT_VERSION != path ]]; then
    printf '%s\n' "${BIN%/*}" >>"${GITHUB_PATH:?}"
fi
printf 'bin=%s\n' "$BIN" >>"${GITHUB_OUTPUT:?}"
