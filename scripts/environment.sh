#!/bin/sh
# Makes .venv from requirements.txt, and renews it when the lock, the Python or the folder has changed.
# Usage: scripts/environment.sh, with PYTHON=/path/to/python to choose the interpreter.
#
# .venv/complete says what the environment was made from. It is written last: an environment without it,
# however its making ended, is not taken for whole. pip's temporary files lie in .venv too, so that nothing
# stays behind elsewhere.
set -u
cd "$(dirname "$0")/.." || exit 1

log=.cache/environment.log
child=''
# In KiB: the finished environment; with pip's temporary copy of the downloads; with pip's cache of them too.
# Linux x86_64 with Python 3.11: 7.0 GB measured, the CUDA libraries included, and 3.2 GB of wheels.
# Elsewhere torch comes without CUDA; those numbers are estimates.
case $(uname -s) in
    Linux) size=7295508 needed=11010048 with_cache=14155776 ;;
    *) size=2621440 needed=4194304 with_cache=5242880 ;;
esac

say() { echo "environment: $*"; }
fail() {
    say "$*" >&2
    exit 1
}
gigabytes() { awk -v kib="$1" 'BEGIN { printf "%.1f GB", kib / 1048576 }'; }
free_space() { df -Pk . | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9]*% .*/\1/p'; }
version_of() { "$1" -ES -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
contents() { version_of "$1" && pwd -P && cat requirements.txt; }

is_whole() {
    contents .venv/bin/python 2>/dev/null | cmp -s - .venv/complete || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of .venv/bin/python)" ]
}

find_python() { # sets python and version, or ends with the one line that says what is missing
    found='' without_venv=''
    for python in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3 python; do
        version=$(version_of "$python")
        case $version in
            3.11 | 3.12 | 3.13)
                "$python" -c 'import venv, ensurepip' 2>/dev/null && return
                without_venv=${without_venv:-"$python ($version)"}
                ;;
            ?*) found="$found${found:+, }$python is $version" ;;
        esac
        [ -z "${PYTHON:-}" ] || break # who names a Python wants that one or none
    done
    if [ -n "$without_venv" ]; then
        fail "$without_venv lacks venv or ensurepip (on Debian and Ubuntu: apt install python3-venv)"
    fi
    fail "no Python 3.11, 3.12 or 3.13 (${found:-${PYTHON:-python3} does not run});" \
        "install one, or name it: make setup PYTHON=/path/to/python"
}

# The kernel frees this lock when the last process that holds it ends, pip included, even after SIGKILL:
# there is no stale lock. A shell alone cannot take one on every system, hence Python.
take_lock='
import fcntl, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
lock = os.open(".cache/environment.lock", os.O_RDWR | os.O_CREAT, 0o644)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("environment: another run is making .venv; waiting for it", flush=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
os.set_inheritable(lock, True)
os.execvp("sh", ["sh", *sys.argv[1:]])
'

clean_up() { # on every way out but success: stop the child, leave nothing half-made
    status=$?
    trap '' EXIT INT TERM HUP
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null
        wait "$child"
    fi
    rm -rf .venv
    exit "$status"
}

interrupted() {
    say "interrupted; the unfinished .venv is removed" >&2
    exit "$1"
}

run() { # in the background, because a shell answers signals only while it waits
    "$@" >>"$log" 2>&1 &
    child=$!
    wait "$child"
    status=$?
    child=''
    return "$status"
}

seen() { grep -Eqi "$1" "$log"; }

explain() { # one line for what pip wrote
    if seen 'No space left on device|Errno 28'; then
        what="the disk is full: the environment needs $(gigabytes $needed)"
    elif seen 'DO NOT MATCH THE HASHES'; then
        name=$(sed -n '/DO NOT MATCH/{n;s/^ *\([^ ]*\) from.*/\1/p;}' "$log")
        what="${name:-a package} is not the file that requirements.txt records (its digest differs)"
    elif seen 'name resolution|Name or service not known|nodename nor|getaddrinfo|Failed to resolve'; then
        what="no package registry: its name cannot be resolved; is there a network?"
    elif seen 'Connection refused|Network is unreachable|No route to host|Connection reset'; then
        what="no package registry: the connection is refused or there is no route to it"
    elif seen 'timed out|TimeoutError'; then
        what="no package registry: it does not answer in time"
    elif seen 'SSLError|CERTIFICATE_VERIFY_FAILED|ProxyError|Tunnel connection failed'; then
        what="no package registry: the proxy or its certificate is refused"
    elif seen 'No matching distribution found'; then
        name=$(sed -n 's/.*No matching distribution found for \([^ ]*\).*/\1/p' "$log" | head -n 1)
        what="the registry has no $name for Python $version on $(uname -sm)"
    else
        what="pip failed"
    fi
    fail "$what (pip's log: $(pwd)/$log)"
}

make_environment() {
    rm -rf .venv
    available=$(free_space)
    if [ -n "$available" ] && [ "$available" -lt "$needed" ]; then
        fail "too little disk space: $(gigabytes "$needed") needed, $(gigabytes "$available") free in $(pwd)"
    fi
    if [ -n "$available" ] && [ "$available" -lt "$with_cache" ]; then
        export PIP_NO_CACHE_DIR=1 # enough for the environment, but not for a second copy of the downloads
    fi
    say "making .venv with Python $version: some minutes, $(gigabytes "$size") (progress: $log)"
    : >"$log"
    run "$python" -m venv .venv || fail "$python -m venv failed (log: $(pwd)/$log)"
    mkdir -p .venv/tmp
    TMPDIR=$(pwd)/.venv/tmp run .venv/bin/python -m pip install --no-input --progress-bar off \
        --disable-pip-version-check --only-binary :all: --no-deps --require-hashes \
        -r requirements.txt || explain
    TMPDIR=$(pwd)/.venv/tmp run .venv/bin/python utils/colab.py --archives || explain
    rm -rf .venv/tmp
    if ! contents .venv/bin/python >.venv/complete.new || ! mv .venv/complete.new .venv/complete; then
        fail "cannot write .venv/complete"
    fi
}

is_whole && exit 0
find_python
mkdir -p .cache || exit 1
if [ "${1:-}" != --locked ]; then
    PYTHON=$python exec "$python" -c "$take_lock" scripts/environment.sh --locked
fi
is_whole && exit 0 # another run made it while this one waited
if [ -e .venv/complete ]; then
    say "requirements.txt, the Python or the folder has changed since .venv was made: renewing it"
elif [ -e .venv ]; then
    say ".venv is unfinished: making it anew"
fi
trap clean_up EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'interrupted 129' HUP
make_environment
trap - EXIT INT TERM HUP
say "ready"
