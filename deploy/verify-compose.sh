#!/usr/bin/env bash
# Brings docker-compose.yml up for real, uses it as a user would, and takes it down again. Needs a Docker engine with the compose plugin.
#   deploy/verify-compose.sh          KEEP=1 leaves it running
set -euo pipefail
cd "$(dirname "$0")/.."

PROJECT=deja-verify-$$
SETTINGS=$(mktemp)
word() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
PORT=${PORT:-13900}
KEY=sk-deja-$(word)
compose() { docker compose --project-name "$PROJECT" --env-file "$SETTINGS" "$@"; }
step() { printf '\n== %s\n' "$*"; }
finish() {
  local status=$?
  [ $status = 0 ] || compose logs --tail 30 || true
  [ -n "${KEEP:-}" ] || compose down --volumes --timeout 60 >/dev/null 2>&1 || true
  rm -f "$SETTINGS"
  exit $status
}
trap finish EXIT

step 'without its secrets it says which one is missing'
for name in DEJA_ADMIN_KEY DEJA_BOOTSTRAP_KEY DEJA_MASTER_KEY POSTGRES_PASSWORD; do
  { printf 'DEJA_ADMIN_KEY=a\nDEJA_BOOTSTRAP_KEY=b\nDEJA_MASTER_KEY=m\nPOSTGRES_PASSWORD=c\n' | grep -v "^$name="; } > "$SETTINGS"
  said=$(env -u "$name" docker compose --project-name "$PROJECT" --env-file "$SETTINGS" config 2>&1 >/dev/null) && { echo "it started without $name" >&2; exit 1; }
  grep -q "set $name in .env" <<< "$said" || { echo "not clear: $said" >&2; exit 1; }
done

step 'up, until everything is ready'
cat > "$SETTINGS" <<SETTINGS
DEJA_ADMIN_KEY=$(word)
DEJA_BOOTSTRAP_KEY=$KEY
DEJA_MASTER_KEY=$(head -c 32 /dev/urandom | base64)
POSTGRES_PASSWORD=$(word)
PORT=$PORT
SETTINGS
compose up --build --wait
[ "$(compose exec -T gateway id -un)" = node ]

step 'a client with the official SDK'
docker build --quiet --target build --tag deja-build . >/dev/null
client() { docker run --rm --network "${PROJECT}_default" deja-build node deploy/verify-client.mjs http://gateway:3000/v1 "$KEY"; }
client

step 'every request is in the ledger'
rows() { compose exec -T postgres sh -c 'PGPASSWORD=$POSTGRES_PASSWORD psql -h 127.0.0.1 -U deja -d deja -tAc "select count(*) from usage.operations where status = 200"'; }
ledger() { for _ in $(seq 60); do [ "$(rows)" = "$1" ] && return; sleep 0.5; done; echo "the ledger has $(rows) rows, not $1" >&2; return 1; }
ledger 4

step 'it stops cleanly, and knows the key and the ledger when it is back'
compose stop --timeout 60
for app in gateway router semantic-cache usage-worker; do
  code=$(docker inspect --format '{{.State.ExitCode}}' "$(compose ps --all --quiet $app)")
  [ "$code" = 0 ] || { echo "$app ended with $code" >&2; exit 1; }
done
compose up --wait
client
ledger 8

step 'done'
