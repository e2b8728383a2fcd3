# shellcheck shell=bash
# What every script here shares; sourced, never run. Works with bash 3.2, the one that macOS has.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cache="$root/.cache"
export root cache

say() { printf '%s\n' "$*" >&2; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Homebrew keeps these two apart from the system's own, so pkg-config has to be told where they are.
if [ "$(uname -s)" = Darwin ] && have brew; then
    for keg in curl openssl@3; do
        PKG_CONFIG_PATH="$(brew --prefix "$keg")/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
    done
    export PKG_CONFIG_PATH
fi

# One set of flags for every release build, so that no target is compiled twice. On Linux the Swift runtime goes into the
# binary, so that it needs only the distribution's C libraries where it runs. macOS has the runtime in the system.
#
# Twice as many targets at once as there are cores: the largest one otherwise begins last and is compiled alone
# (130 and 139 s cold on two cores, 118 to 121 s with twice as many).
release=(-c release --jobs $((2 * $(getconf _NPROCESSORS_ONLN))))
[ "$(uname -s)" != Linux ] || release+=(--static-swift-stdlib)

# The Kafka distribution that tests may use: KAFKA_HOME, else the folder beside the repository. Empty if there is none.
kafka_home() {
    if [ -n "${KAFKA_HOME:-}" ]; then
        printf '%s\n' "$KAFKA_HOME"
    elif [ -d "$root/../shared/kafka/libs" ]; then
        (cd "$root/../shared/kafka" && pwd)
    fi
}

# Kafka runs on it.
have_java() { have java || [ -x "${JAVA_HOME:-}/bin/java" ]; }

# A tool of the folder beside the repository, else the one on PATH. Empty if there is none.
shared_tool() {
    if [ -x "$root/../shared/bin/$1" ]; then
        (cd "$root/../shared/bin" && printf '%s/%s\n' "$(pwd)" "$1")
    else
        command -v "$1" || true
    fi
}
