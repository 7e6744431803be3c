# shellcheck shell=bash
# What the scripts with real engines share; sourced, never run.

# Where engines and the model are kept between runs.
LAB=${PERFGATE_LAB:-$HOME/.cache/perfgate-lab}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf '== %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# exits CODE… -- COMMAND…: runs it and demands one of these exit codes; leaves the code in $status.
exits() {
    local allowed=()
    while [[ $1 != -- ]]; do
        allowed+=("$1")
        shift
    done
    shift
    status=0
    "$@" || status=$?
    [[ " ${allowed[*]} " == *" $status "* ]] || die "exit $status, not ${allowed[*]}: $*"
}

# apt_install PACKAGE…: waits for another apt instead of failing beside it.
apt_install() {
    say "apt: $*"
    local sudo=()
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=120 -qq update
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq install -y \
        --no-install-recommends "$@" >/dev/null
}

# need COMMAND PACKAGE…: installs the packages where the command is missing.
need() {
    local command=$1
    shift
    command -v "$command" >/dev/null || apt_install "$@"
}

# venv FOLDER PACKAGE…: a Python environment with exactly these packages, made once; by $PYTHON where it is set.
venv() {
    local folder=$1
    shift
    local wanted="$*"
    [[ -f $folder/.perfgate && $(<"$folder/.perfgate") == "$wanted" ]] && return
    say "pip: $wanted"
    # Debian keeps venv apart from Python.
    python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
    "${PYTHON:-python3}" -m venv --clear "$folder"
    "$folder/bin/pip" --quiet install "$@"
    printf '%s' "$wanted" >"$folder/.perfgate"
}

# model: the tiny random Llama, as a folder for vLLM and as a GGUF for llama.cpp. About 20 s, once.
model() {
    [[ -f $LAB/model/tiny-llama.gguf ]] && return
    venv "$LAB/venv-model" tokenizers==0.23.3 gguf==0.19.0 numpy==2.4.6
    say "model: a tiny Llama with random weights"
    mkdir -p "$LAB/model"
    "$LAB/venv-model/bin/python" "$HERE/mkmodel.py" "$LAB/model/tiny-llama"
    "$LAB/venv-model/bin/python" "$HERE/mkgguf.py" "$LAB/model/tiny-llama" "$LAB/model/tiny-llama.gguf.part"
    mv "$LAB/model/tiny-llama.gguf.part" "$LAB/model/tiny-llama.gguf"
}

# locked COMMAND…: one installation at a time on this machine.
locked() {
    mkdir -p "$LAB"
    (
        flock 9
        "$@"
    ) 9>"$LAB/lock"
}

# launch NAME PORT SECONDS COMMAND…: starts a server as a process group of its own and waits until it is healthy.
launch() {
    local name=$1 port=$2 seconds=$3
    shift 3
    mkdir -p "$LAB/logs"
    local log=$LAB/logs/$name-$port.log pid_file=$LAB/logs/$name-$port.pid
    if curl --silent --max-time 2 --output /dev/null "http://127.0.0.1:$port/"; then
        die "port $port is taken; stop what listens there, or give another port"
    fi
    setsid "$@" >"$log" 2>&1 </dev/null &
    local pid=$!
    printf '%s' "$pid" >"$pid_file"
    local deadline=$((SECONDS + seconds))
    until curl --silent --fail --max-time 2 --output /dev/null "http://127.0.0.1:$port/health"; do
        if ! kill -0 "$pid" 2>/dev/null || ((SECONDS > deadline)); then
            tail -n 20 "$log" >&2
            halt "$name" "$port"
            die "$name did not become healthy on port $port within $seconds s; its log is $log"
        fi
        sleep 0.2
    done
    say "$name: ready on port $port, pid $pid"
}

# halt NAME PORT: stops what `launch` started, with all its children; nothing where it is gone already.
halt() {
    local name=$1 port=$2 pid
    local pid_file=$LAB/logs/$name-$port.pid
    [[ -f $pid_file ]] || return 0
    pid=$(<"$pid_file")
    rm -f "$pid_file"
    # The number may belong to another program by now.
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -- "--port $port" || return 0
    kill -TERM -- "-$pid" 2>/dev/null || return 0
    for _ in {1..100}; do
        kill -0 -- "-$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
}
