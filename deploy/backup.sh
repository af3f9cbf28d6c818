#!/usr/bin/env bash
# Writes a backup of what only Postgres has: tenants, keys, credentials (encrypted), audit log, ledger, captured bodies (encrypted), alerts. docs/deploy.md says what else to keep.
#   deploy/backup.sh [--without-bodies] [--keep N] [--config deja.yaml] FOLDER
# Everything is from one moment, while the cluster works. FOLDER gets a folder of its own for it, and with --keep loses all but the latest N.
# Which Postgres and which tools: postgres-tools.sh.
set -euo pipefail
umask 077
source "$(dirname "$0")/postgres-tools.sh"

BODIES=true KEEP='' CONFIG='' FOLDER=''
while [ $# -gt 0 ]; do
  case $1 in
    --without-bodies) BODIES=false ;;
    --keep) KEEP=${2:-}; [[ $KEEP =~ ^[1-9][0-9]*$ ]] || fail '--keep takes how many backups to keep'; shift ;;
    --config) CONFIG=${2:-}; [ -f "$CONFIG" ] || fail "--config: there is no file $CONFIG"; shift ;;
    -*) fail "there is no $1: backup.sh [--without-bodies] [--keep N] [--config deja.yaml] FOLDER" ;;
    *) FOLDER=$1 ;;
  esac
  shift
done
[ -n "$FOLDER" ] || fail 'say into which folder: backup.sh [--without-bodies] [--keep N] [--config deja.yaml] FOLDER'
connect_by_url
TOOL=$(expect_tools pg_dump)

NAME=deja-$(date -u +%Y%m%dT%H%M%SZ)
MADE=$FOLDER/$NAME.partial
WORK=$(mktemp -d)
HOLDER=''
finish() {
  local status=$?
  [ -z "$HOLDER" ] || kill "$HOLDER" 2>/dev/null || true
  rm -rf "$WORK"
  [ $status = 0 ] || rm -rf "$MADE"
}
trap finish EXIT
mkdir -p "$FOLDER"
[ ! -e "$FOLDER/$NAME" ] || fail "$FOLDER/$NAME is there already"
mkdir "$MADE"

# A transaction that is held open: the dump and the figures that it is compared with later are of its moment.
mkfifo "$WORK/ask" "$WORK/answer"
tool psql -XqAt -F $'\t' -v ON_ERROR_STOP=1 -v "bodies=$BODIES" < "$WORK/ask" > "$WORK/answer" & HOLDER=$!
exec 3> "$WORK/ask" 4< "$WORK/answer"
heard() { IFS= read -r -u 4 REPLY || fail 'Postgres ended the transaction: see above'; }
printf '%s\n' 'begin isolation level repeatable read read only;' "set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0;" 'select pg_export_snapshot();' >&3
heard; SNAPSHOT=$REPLY
printf '%s\n' "select to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"');" 'show server_version;' >&3
heard; AT=$REPLY
heard; SERVER=$REPLY
printf '%s\n' "$MASTER_KEYS_IN_USE" >&3
heard; MASTER_KEYS=$REPLY
printf '%s\n' "$FIGURES" "\\echo end" >&3
while heard; [ "$REPLY" != end ]; do printf '%s\n' "$REPLY"; done > "$MADE/figures.tsv"

LEFT_OUT=()
[ $BODIES = true ] || LEFT_OUT=('--exclude-table-data=usage.captures*')
tool pg_dump --format=custom --no-owner --no-privileges --schema=router --schema=usage --snapshot="$SNAPSHOT" ${LEFT_OUT[@]+"${LEFT_OUT[@]}"} < /dev/null > "$MADE/database.dump"
printf 'commit;\n' >&3
exec 3>&- 4<&-
wait "$HOLDER"; HOLDER=''

[ -z "$CONFIG" ] || cp "$CONFIG" "$MADE/deja.yaml"
printf '%s\n' "taken_at=$AT" "bodies=$BODIES" "master_keys=$MASTER_KEYS" "server=$SERVER" "tool=$TOOL" > "$MADE/about.txt"
(cd "$MADE" && checksums * > "$WORK/sums" && mv "$WORK/sums" SHA256SUMS)
mv "$MADE" "$FOLDER/$NAME"
printf '%s\n' "$FOLDER/$NAME"
printf 'the master keys that open it: %s\n' "${MASTER_KEYS:-none}" >&2

if [ -n "$KEEP" ]; then
  find "$FOLDER" -mindepth 1 -maxdepth 1 -type d -name 'deja-????????T??????Z' | sort -r | tail -n +$((KEEP + 1)) | while read -r old; do rm -rf "$old"; done
fi
