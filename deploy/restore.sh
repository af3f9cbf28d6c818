#!/usr/bin/env bash
# Puts a backup of backup.sh into a database that has nothing of deja yet, and compares what is there then with what was there when it was made.
#   deploy/restore.sh [--jobs N] BACKUP
# No app of deja may run on that database. Afterwards: docs/deploy.md, restoring. Which Postgres and which tools: postgres-tools.sh.
set -euo pipefail
source "$(dirname "$0")/postgres-tools.sh"

JOBS='' BACKUP=''
while [ $# -gt 0 ]; do
  case $1 in
    --jobs) JOBS=${2:-}; [[ $JOBS =~ ^[1-9][0-9]*$ ]] || fail '--jobs takes how many to run at a time'; shift ;;
    -*) fail "there is no $1: restore.sh [--jobs N] BACKUP" ;;
    *) BACKUP=$1 ;;
  esac
  shift
done
[ -f "$BACKUP/database.dump" ] || fail 'say which backup: a folder that backup.sh has made'
[ -z "$JOBS" ] || [ -z "${DEJA_PG:-}" ] || fail '--jobs needs a pg_restore that can read the file itself: leave it out, or DEJA_PG'
connect_by_url

(cd "$BACKUP" && checksums -c SHA256SUMS > /dev/null) || fail "$BACKUP is not as it was written"
about() { sed -n "s/^$1=//p" "$BACKUP/about.txt"; }
expect_tools pg_restore > /dev/null
THERE=$(asked "select string_agg(nspname, ', ' order by nspname) from pg_namespace where nspname in ('router', 'usage')")
[ -z "$THERE" ] || fail "this database has the schema $THERE already: restore into a new one (createdb), or drop these schemas if nobody needs them"

WORK=$(mktemp -d)
finish() {
  local status=$?
  rm -rf "$WORK"
  [ $status = 0 ] || printf '%s: not restored; what is in the database now is not to be used (drop schema if exists router, usage cascade)\n' "$(basename "$0")" >&2
}
trap finish EXIT
printf 'restoring the state of %s (Postgres %s)\n' "$(about taken_at)" "$(about server)" >&2
OPTIONS=(--dbname="${PGDATABASE:-}" --exit-on-error --no-owner --no-privileges)
# shellcheck disable=SC2016 # the shell of the other place says what its variables are
if [ -n "$JOBS" ]; then tool pg_restore "${OPTIONS[@]}" --jobs="$JOBS" "$BACKUP/database.dump"
elif [ -n "${PGDATABASE:-}" ]; then tool pg_restore "${OPTIONS[@]}" < "$BACKUP/database.dump"
else tool sh -c 'pg_restore --dbname="$PGDATABASE" --exit-on-error --no-owner --no-privileges' < "$BACKUP/database.dump"; fi
# A dump has no statistics, and without them the first questions are planned badly.
asked 'set client_min_messages = error; analyze' > /dev/null

printf '%s\n' "$FIGURES" | tool psql -XqAt -F $'\t' -v ON_ERROR_STOP=1 -v "bodies=$(about bodies)" > "$WORK/figures.tsv"
diff "$BACKUP/figures.tsv" "$WORK/figures.tsv" >&2 || fail 'what was restored is not what was there: the differences are above (<: then, >: now)'
printf 'restored: %s tables with as many rows as then, and the same sums of money\n' "$(grep -cv sums "$WORK/figures.tsv")"
KEYS=$(about master_keys)
printf 'the routers need these master keys: %s\n' "${KEYS:-none}" >&2
