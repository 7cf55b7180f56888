#!/usr/bin/env bash
# The PostgreSQL cluster that all tests share.
#
#   cluster.sh start ENVFILE   starts one unless it runs already; writes how to reach it to ENVFILE
#   cluster.sh stop ENVFILE    stops it, unless a test still uses it; removes its files and ENVFILE
#
# Safe to run as root (the server then runs as user postgres) and as anybody else, twice in a row, and by
# several at once. ENVFILE holds lines NAME=VALUE:
#   CURLEW_TEST_PG      conninfo of a superuser, by socket
#   CURLEW_TEST_PG_TCP  the same by TCP, with a password
#   CURLEW_TEST_PG_BIN  folder of pg_dump and its like
#   CURLEW_TEST_PG_LOG  the server's log
# A test process holds a shared lock on ENVFILE.users while it lives.
set -euo pipefail

usage() { sed -n '4,5s/^# *//p' "$0" >&2; exit 2; }
[[ $# -eq 2 ]] || usage
action=$1
mkdir -p "$(dirname "$2")"
env_file=$(realpath "$2")
cd /  # the server's user may not enter the caller's folder

# Short, because a socket's path holds 107 bytes; the same for each start, so that a dead cluster is found.
id=$(printf %s "$env_file" | cksum | cut -d' ' -f1)
root=/var/tmp/curlew-test-$(id -u)-$id
data=$root/data
log=$root/log

bin=
for candidate in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin "$(pg_config --bindir 2>/dev/null || true)"; do
  if [[ -x $candidate/initdb && -x $candidate/pg_ctl ]]; then bin=$candidate; fi
done
[[ -n $bin ]] || { echo "cluster.sh: PostgreSQL's initdb was not found; install postgresql" >&2; exit 1; }

as_owner() {
  if [[ $(id -u) -eq 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# Lock descriptors are closed for every child: the server must not inherit them.
running() { [[ -d $data ]] && as_owner "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; }

usable() {
  [[ -s $env_file ]] && running && as_owner "$bin/psql" -XAtqh "$root" -p "$port" -U postgres -d postgres -c 'SELECT 1' \
    >/dev/null 2>&1
}

# Ends what still runs there, one way or the other, and removes its files.
discard() {
  local mode
  for mode in "$@"; do
    if running; then as_owner "$bin/pg_ctl" -D "$data" -w -t 15 -m "$mode" stop >/dev/null 2>&1 8>&- 9>&- || true; fi
  done
  rm -rf "$root"
  rm -f "$env_file"
}

create() {
  local password
  mkdir -m 700 "$root"
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077; printf '%s\n' "$password" >"$root/password")
  if [[ $(id -u) -eq 0 ]]; then chown -R postgres: "$root"; fi
  as_owner "$bin/initdb" -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 --pwfile="$root/password" \
    --auth-local=trust --auth-host=scram-sha-256 --no-sync >"$root.initdb" 2>&1 8>&- 9>&- ||
    { cat "$root.initdb" >&2; exit 1; }
  rm -f "$root.initdb"
  as_owner tee -a "$data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$root'
max_connections = 200
wal_level = logical
max_wal_senders = 20
max_replication_slots = 20
max_prepared_transactions = 10
fsync = off
full_page_writes = off
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
shared_preload_libraries = 'pg_stat_statements'
log_line_prefix = '%m [%p] %d %a '
log_lock_waits = on
timezone = 'UTC'
CONF
}

# Another process may take a port between the look and the start: try again.
launch() {
  local try
  for try in 1 2 3 4 5 6 7 8; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
    if as_owner "$bin/pg_ctl" -D "$data" -w -t 60 -l "$log" -o "-p $port" start >/dev/null 2>&1 8>&- 9>&-; then
      return 0
    fi
  done
  echo "cluster.sh: PostgreSQL does not start; its log says:" >&2
  tail -20 "$log" >&2 || true
  exit 1
}

write_env() {
  local password
  password=$(cat "$root/password")
  (umask 077; cat >"$env_file.new" <<ENV
CURLEW_TEST_PG=host=$root port=$port user=postgres dbname=postgres
CURLEW_TEST_PG_TCP=host=127.0.0.1 port=$port user=postgres password=$password dbname=postgres
CURLEW_TEST_PG_BIN=$bin
CURLEW_TEST_PG_LOG=$log
ENV
  )
  mv "$env_file.new" "$env_file"
}

# 9 orders starts and stops; 8 is the lock that test processes share.
exec 9>"$env_file.lock"
flock 9
port=$(sed -n 's/^CURLEW_TEST_PG=.* port=\([0-9]*\) .*/\1/p' "$env_file" 2>/dev/null || true)

case $action in
  start)
    if usable; then
      echo "cluster.sh: already running on port $port"
      exit 0
    fi
    discard immediate
    create
    launch
    write_env
    echo "cluster.sh: started on port $port, data in $root"
    ;;
  stop)
    exec 8>"$env_file.users"
    if ! flock -n 8; then
      echo "cluster.sh: left running: a test still uses it"
      exit 0
    fi
    discard fast immediate
    echo "cluster.sh: stopped"
    ;;
  *) usage ;;
esac
