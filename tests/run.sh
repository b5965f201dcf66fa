#!/usr/bin/env bash
# Runs all tests: format, lints, Rust tests, and the acceptance scripts against a PostgreSQL of their own.
#
#   tests/run.sh [--quick] [argument of cargo test ...]
#
#   --quick   three seeds of the acceptance cases instead of twenty, and none of the large ones
#
# Installs what is missing where it may (root on Debian or Ubuntu, rustup), else says what to install and exits 2. The server lives in a
# temporary folder, listens on 127.0.0.1 at a free port, and goes with this script however it ends. Exits 1 if anything failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

quick=0
arguments=()
for argument in "$@"; do
    case $argument in
    --quick) quick=1 ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) arguments+=("$argument") ;;
    esac
done

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
binaries=$(server_binaries) || missing "a PostgreSQL server (initdb, pg_ctl, postgres)" "Install the package postgresql, or put its programs on PATH."
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
stop_server() {
    trap - EXIT INT TERM HUP
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

failed=()
step() { # name, command ...
    local name=$1 started=$SECONDS
    shift
    echo "== $name"
    if "$@"; then
        echo "-- $name: ok ($((SECONDS - started)) s)"
    else
        echo "-- $name: FAILED ($((SECONDS - started)) s)"
        failed+=("$name")
        return 1
    fi
}

step "format" cargo fmt --check
step "lints" cargo clippy --release --all-targets -- -D warnings
if step "build" cargo build --release; then
    target=$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    pipe=$target/release/pipe
    step "rust tests" cargo test --release ${arguments[@]+"${arguments[@]}"}
    vital=(--seeds 1-20)
    [ $quick = 0 ] || vital=(--seeds 1-3 --quick)
    step "acceptance: vital" python3 tests/acceptance/vital.py --pipe "$pipe" --db "$PIPE_TEST_PG" "${vital[@]}"
    scout=(--seeds 1-20)
    [ $quick = 0 ] || scout=(--seeds 1-3 --quick)
    step "acceptance: scout" python3 tests/acceptance/scout.py --pipe "$pipe" "${scout[@]}"
    personas=(--seeds 1-10)
    [ $quick = 0 ] || personas=(--seeds 1-3)
    step "acceptance: persona_data" python3 tests/acceptance/persona_data.py --pipe "$pipe" --db "$PIPE_TEST_PG" "${personas[@]}"
    step "acceptance: existing" python3 tests/acceptance/existing.py --pipe "$pipe" --db "$PIPE_TEST_PG"
    databases=(--seeds 1-10)
    [ $quick = 0 ] || databases=(--seeds 1-3 --quick)
    step "acceptance: databases" python3 tests/acceptance/databases.py --pipe "$pipe" --db "$PIPE_TEST_PG" "${databases[@]}"
    cases=300
    [ $quick = 0 ] || cases=60
    step "acceptance: property" python3 tests/acceptance/property.py --pipe "$pipe" --cases $cases --seed 1   # another seed by hand
    views=(--plans 3000 --seconds 60)
    [ $quick = 0 ] || views=(--plans 600 --seconds 20)
    step "acceptance: views" python3 tests/acceptance/views.py --pipe "$pipe" --db "$PIPE_TEST_PG" --seed 1 "${views[@]}"   # another seed by hand
    cases=2000
    [ $quick = 0 ] || cases=300
    step "acceptance: agreement" python3 tests/acceptance/agreement.py --pipe "$pipe" --db "$PIPE_TEST_PG" --cases $cases --seed 1
    step "acceptance: T-SQL" python3 tests/acceptance/tsql.py --pipe "$pipe" --kit "${XDG_CACHE_HOME:-$HOME/.cache}/pipe-tsql-parser"
    step "acceptance: bad input" python3 tests/acceptance/bad_input.py --pipe "$pipe"
    step "acceptance: report" python3 tests/acceptance/report.py --pipe "$pipe"
    step "acceptance: bad world" python3 tests/acceptance/bad_world.py --pipe "$pipe"
    rounds=40
    [ $quick = 0 ] || rounds=10
    step "acceptance: straight" python3 tests/acceptance/straight.py --pipe "$pipe" --db "$PIPE_TEST_PG"
    step "acceptance: outdated" python3 tests/acceptance/outdated.py --pipe "$pipe" --db "$PIPE_TEST_PG"
    step "acceptance: rollback" python3 tests/acceptance/rollback.py --pipe "$pipe" --db "$PIPE_TEST_PG" --rounds $rounds
    step "acceptance: catalog" python3 tests/acceptance/catalog.py --pipe "$pipe" --db "$PIPE_TEST_PG"
    live=(--points 100)
    [ $quick = 0 ] || live=(--points 12)
    step "acceptance: live" python3 tests/acceptance/live.py --pipe "$pipe" --db "$PIPE_TEST_PG"
    step "acceptance: live faults" python3 tests/acceptance/live_faults.py --pipe "$pipe" --db "$PIPE_TEST_PG" "${live[@]}"
    step "acceptance: Azure SQL" python3 tests/acceptance/azure.py --pipe "$pipe" --kit "${XDG_CACHE_HOME:-$HOME/.cache}/pipe-tsql-parser"   # asks a real server if PIPE_TEST_AZURE_URL names one
    step "acceptance: torture" python3 tests/acceptance/torture.py --pipe "$pipe" --db "$PIPE_TEST_PG"
fi

if [ ${#failed[@]} -gt 0 ]; then
    (IFS=,; echo "tests/run.sh: FAILED: ${failed[*]}")
    exit 1
fi
echo "tests/run.sh: all tests passed in $SECONDS s"
