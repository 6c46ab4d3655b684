#!/usr/bin/env bash
# Writes .sqlx anew, the data that queries are checked against in builds without a database; with --check it
# only compares. It starts a PostgreSQL of its own: `local` cannot be built while a query is new.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "sqlx: $*" >&2; exit 1; }
case ${1-} in
  '') check= ;;
  --check) check=yes ;;
  *) fail "usage: scripts/sqlx.sh [--check]" ;;
esac

bin=
for folder in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin ${PATH//:/ }; do
  if [ -x "$folder/initdb" ]; then bin=$folder; fi
  # The first that has it: packaged ones come first.
  [ -z "$bin" ] || break
done
[ -n "$bin" ] || fail "found no PostgreSQL; 'make setup' installs it"

# In /tmp by name: the path of a socket may have some 100 characters, and TMPDIR can be long.
work=$(mktemp -d /tmp/frontdesk-sqlx.XXXXXX)
chmod 755 "$work"
mkdir "$work/pg" "$work/new"
as_server() { "$@"; }
if [ "$(id -u)" -eq 0 ]; then
  # PostgreSQL refuses to run as root.
  user=postgres
  id "$user" >/dev/null 2>&1 || user=nobody
  chown "$user" "$work/pg"
  as_server() { (cd /tmp && setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"); }
fi
finish() {
  as_server "$bin/pg_ctl" -D "$work/pg/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

echo "sqlx: applying migrations/ to a PostgreSQL of its own"
as_server "$bin/initdb" -D "$work/pg/data" -U frontdesk --auth=trust --encoding=UTF8 --locale=C --no-sync \
  >"$work/initdb.log" 2>&1 || fail "$(cat "$work/initdb.log")"
chmod 700 "$work/pg"
as_server "$bin/pg_ctl" -D "$work/pg/data" -w -l "$work/pg/log" \
  -o "-c listen_addresses= -c unix_socket_directories=$work/pg -c fsync=off" start >/dev/null ||
  fail "$(cat "$work/pg/log")"
for migration in migrations/*.sql; do
  "$bin/psql" -qX -h "$work/pg" -U frontdesk -d postgres -v ON_ERROR_STOP=1 -f "$migration" || fail "$migration failed"
done

echo "sqlx: compiling everything that has queries"
# The macros write their data when they are compiled; a changed time makes them be.
find ./*/ -path './target*' -prune -o -name '*.rs' -exec grep -lE 'query(_as|_scalar|_file)?(_unchecked)?!' {} + |
  while IFS= read -r file; do touch "$file"; done
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$work/new" DATABASE_URL="postgres://frontdesk@localhost/postgres?host=$work/pg" \
  cargo check --quiet --workspace --all-targets

if [ -n "$check" ]; then
  diff -r .sqlx "$work/new" >&2 || fail ".sqlx is not what the queries and migrations give: run 'make sqlx' and commit it"
  echo "sqlx: .sqlx is up to date ($(find .sqlx -name '*.json' | wc -l | tr -d ' ') queries)"
else
  mkdir -p .sqlx
  rm -f .sqlx/query-*.json
  find "$work/new" -name 'query-*.json' -exec cp {} .sqlx/ \;
  echo "sqlx: wrote .sqlx ($(find .sqlx -name '*.json' | wc -l | tr -d ' ') queries)"
fi
