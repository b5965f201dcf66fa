#!/usr/bin/env bash
# Runs all tests: format, lints, Rust tests, and the acceptance scripts against a PostgreSQL of their own.
#
#   tests/run.sh [--quick] [--minutes N] [argument of cargo test ...]
#
#   --quick       three seeds of the acceptance cases instead of twenty, and none of the large ones
#   --minutes N   what is not done by then is ended and counts as failed
#
# Installs what is missing where it may (root on Debian or Ubuntu, rustup), else says what to install and exits 2. The server lives in a
# temporary folder, listens on 127.0.0.1 at a free port, and goes with this script however it ends. Exits 1 if anything failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

for argument in "$@"; do
    case $argument in
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    esac
done
arguments=("$@")

missing() { # what, how to get it
    printf 'tests/run.sh: %s is missing. %s\n' "$1" "$2" >&2
    exit 2
}

# ---------------------------------------------------------------- what the tests need

# Prints the folder of the newest PostgreSQL server that is installed.
server_binaries() {
    local found
    found=$(command -v initdb) && found=$(dirname "$(readlink -f "$found")") && [ -x "$found/pg_ctl" ] && [ -x "$found/postgres" ] && echo "$found" && return
    for found in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin | sort -rV); do
        [ -x "$found/initdb" ] && [ -x "$found/pg_ctl" ] && [ -x "$found/postgres" ] && echo "$found" && return
    done
    return 1
}

clusters() { command -v pg_lsclusters >/dev/null && pg_lsclusters --no-header 2>/dev/null | awk '{print $1, $2}'; }

install_packages() {
    local wanted=("$@") before
    before=$(clusters)
    echo "== installing ${wanted[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null; } ||
        missing "${wanted[*]}" "apt-get could not install it."
    # Debian's package makes and starts a cluster of its own. Nobody asked for it.
    clusters | while read -r version name; do
        grep -qxF "$version $name" <<<"$before" || pg_ctlcluster "$version" "$name" stop >/dev/null 2>&1
    done
}

packages=()
server_binaries >/dev/null && command -v psql >/dev/null || packages+=(postgresql postgresql-client)
command -v python3 >/dev/null || packages+=(python3)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)   # for the T-SQL parser, which comes as Python packages
{ command -v c++ || command -v g++ || command -v clang++; } >/dev/null && command -v cc >/dev/null || packages+=(g++)
if [ ${#packages[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        install_packages "${packages[@]}"
    else
        missing "${packages[*]}" "On Debian or Ubuntu: sudo apt-get install -y ${packages[*]}"
    fi
fi
# The page of a run is opened in a browser where there is one; the tests say so if there is none. Ubuntu has it only as a snap.
if ! { command -v chromium || command -v google-chrome; } >/dev/null && [ "$(id -u)" = 0 ] && grep -qx ID=debian /etc/os-release 2>/dev/null; then
    (install_packages chromium) || echo "tests/run.sh: going on without a browser"
fi
binaries=$(server_binaries) || missing "a PostgreSQL server (initdb, pg_ctl, postgres)" "Install the package postgresql, or put its programs on PATH."
PATH=$binaries:$PATH    # psql itself: what Debian puts on PATH is a script that looks for it, and takes longer than most questions
[ -d "$HOME/.cargo/bin" ] && PATH=$PATH:$HOME/.cargo/bin
command -v cargo >/dev/null || missing cargo "Install a Rust toolchain with rustup."
for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null && rustup component add rustfmt clippy >/dev/null 2>&1
    cargo "$component" --version >/dev/null 2>&1 || missing "cargo $component" "Add it: rustup component add rustfmt clippy"
done

# ---------------------------------------------------------------- a server of our own

# PostgreSQL refuses to run as root, so root lends it a user that owns nothing.
owner=
if [ "$(id -u)" = 0 ]; then
    for candidate in postgres nobody; do
        getent passwd "$candidate" >/dev/null && owner=$candidate && break
    done
    [ -n "$owner" ] || missing "an unprivileged user" "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody."
fi
as_owner() {
    if [ -z "$owner" ]; then
        "$@"
    elif command -v setpriv >/dev/null; then
        setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups -- env HOME=/ "$@"
    else
        runuser -u "$owner" -- env HOME=/ "$@"
    fi
}

home=$(mktemp -d "${TMPDIR:-/tmp}/pipe-tests.XXXXXX") || exit 2
[ -z "$owner" ] || chown "$owner" "$home"
if ! (cd / && as_owner test -w "$home"); then # a private TMPDIR, which the owner cannot enter
    rmdir "$home"
    home=$(mktemp -d /tmp/pipe-tests.XXXXXX) && chown "$owner" "$home" || exit 2
fi
watchdog=
steps=
stop_server() {
    trap - EXIT INT TERM HUP
    [ -z "$steps" ] || { kill -TERM "$steps" 2>/dev/null && wait "$steps"; }
    [ -z "$watchdog" ] || kill "$watchdog" 2>/dev/null
    [ ! -e "$home/data/postmaster.pid" ] || (cd / && as_owner "$binaries/pg_ctl" -D "$home/data" -m immediate -w stop >/dev/null 2>&1)
    rm -rf "$home"
}
trap 'stop_server' EXIT
trap 'stop_server; exit 130' INT
trap 'stop_server; exit 143' TERM HUP

start_server() {
    local log=$home/server.log
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && printf '%s' "$password" >"$home/password") && { [ -z "$owner" ] || chown "$owner" "$home/password"; }
    (cd / && as_owner "$binaries/initdb" -D "$home/data" -U postgres --auth=scram-sha-256 --pwfile="$home/password" --encoding=UTF8 --locale=C --no-sync) >"$log.initdb" 2>&1 ||
        { cat "$log.initdb" >&2; return 1; }
    # Nothing here outlives the tests: durability only costs time.
    printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = ''" "fsync = off" "synchronous_commit = off" "full_page_writes = off" \
        "autovacuum = off" "max_connections = 50" "timezone = 'UTC'" >>"$home/data/postgresql.conf"
    for _ in 1 2 3 4 5; do # another program may take the port in between
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        (cd / && as_owner "$binaries/pg_ctl" -D "$home/data" -o "-p $port" -l "$home/data/server.log" -w start) >/dev/null 2>&1 && return 0
    done
    cat "$home/data/server.log" >&2
    return 1
}

# A trap does not run if this script is killed outright: the watchdog waits for that, in a session of its own.
start_watchdog() {
    setsid bash -c '
        while kill -0 "$1" 2>/dev/null; do sleep 1; done
        read -r postmaster <"$2/data/postmaster.pid" && kill -QUIT "$postmaster" && sleep 1
        rm -rf "$2"' watchdog $$ "$home" </dev/null >/dev/null 2>&1 &
    watchdog=$!
    disown
}

echo "== starting PostgreSQL ($("$binaries/postgres" --version | sed 's/^postgres (PostgreSQL) //')) in a temporary folder"
start_server || { echo "tests/run.sh: the server did not start" >&2; exit 1; }
command -v setsid >/dev/null && start_watchdog
export PIPE_TEST_PG=postgresql://postgres:$password@127.0.0.1:$port/postgres
unset PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD PGSERVICE PGOPTIONS DATABASE_URL

# ---------------------------------------------------------------- the tests

python3 tests/steps.py --db "$PIPE_TEST_PG" ${arguments[@]+"${arguments[@]}"} &
steps=$!
wait "$steps"
