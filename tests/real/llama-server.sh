#!/usr/bin/env bash
# A real llama.cpp server on this machine: continuous batching, `usage`, a tiny random model named `tiny`.
#
#   llama-server.sh install             build it once (7 minutes on 2 cores), kept in $PERFGATE_LAB
#   llama-server.sh start PORT [ARG…]   install where needed, start with the server's own arguments, wait until healthy
#   llama-server.sh stop PORT
set -euo pipefail
# shellcheck source=tests/real/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

VERSION=0.3.36 # of llama-cpp-python, whose sdist carries llama.cpp's source
BINARY=$LAB/llama/build/bin/llama-server

# The sdist is the only form in which a package registry carries llama.cpp's server; pip builds nothing of it.
download() {
    [[ -d $LAB/llama/src ]] && return
    venv "$LAB/venv-sdist" scikit-build-core==1.1.2
    say "pip: the source of llama-cpp-python $VERSION"
    mkdir -p "$LAB/llama"
    "$LAB/venv-sdist/bin/pip" --quiet download --no-deps --no-build-isolation --no-binary llama-cpp-python \
        "llama-cpp-python==$VERSION" --dest "$LAB/llama"
    rm -rf "$LAB/llama/src.part"
    mkdir "$LAB/llama/src.part"
    tar --extract --gzip --file "$LAB/llama/llama_cpp_python-$VERSION.tar.gz" --directory "$LAB/llama/src.part"
    mv "$LAB/llama/src.part" "$LAB/llama/src"
}

build() {
    [[ -x $BINARY ]] && return
    need cmake cmake
    need ninja ninja-build
    need g++ g++
    download
    local source=$LAB/llama/src/llama_cpp_python-$VERSION/vendor/llama.cpp
    mkdir -p "$LAB/logs"
    say "cmake and ninja: llama-server (about 7 minutes on 2 cores)"
    if ! { cmake -S "$source" -B "$LAB/llama/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
        -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF \
        -DGGML_OPENMP=OFF && ninja -C "$LAB/llama/build" llama-server; } >"$LAB/logs/llama-build.log" 2>&1; then
        tail -n 30 "$LAB/logs/llama-build.log" >&2
        die "llama-server could not be built; the log is $LAB/logs/llama-build.log"
    fi
}

install() {
    need curl curl ca-certificates
    need python3 python3 python3-venv
    locked build
    locked model
}

case ${1:-} in
install) install ;;
start)
    port=${2:?"llama-server.sh start PORT [ARG…]"}
    install
    launch llama-server "$port" 60 "$BINARY" --model "$LAB/model/tiny-llama.gguf" --alias tiny --host 127.0.0.1 \
        --port "$port" --ctx-size 8192 --threads 1 --metrics "${@:3}"
    ;;
stop) halt llama-server "${2:?"llama-server.sh stop PORT"}" ;;
*) die "usage: llama-server.sh install | start PORT [ARG…] | stop PORT" ;;
esac
