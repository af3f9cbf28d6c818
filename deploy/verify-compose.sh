#!/usr/bin/env bash
# Brings docker-compose.yml up for real, uses it as clients would, restarts and kills what it has while they do, and takes it down. Needs a Docker engine with the compose plugin.
#   deploy/verify-compose.sh                         about ten minutes; KEEP=1 leaves it running
#   DEJA_VERSION=1.2.3 deploy/verify-compose.sh      with images that are there, deja-build:1.2.3 (the Dockerfile's target `build`) among them
# Where no registry can be reached, HAProxy and Prometheus come from Debian (deploy/stand-ins.sh), and what else is not essential is checked as configuration only.
set -euo pipefail
cd "$(dirname "$0")/.."

NAME=deja-verify-$$
WORK=$(mktemp -d)
# Nothing of it depends on an .env that is here, nor touches what runs here already.
export COMPOSE_PROJECT_NAME=$NAME COMPOSE_ENV_FILES=/dev/null SECRETS_DIR=$WORK/secrets BUILT_BEFORE=${DEJA_VERSION:-}
export DEJA_VERSION=${DEJA_VERSION:-verify-$$}
export PORT=${PORT:-13900} ADMIN_PORT=${ADMIN_PORT:-13901} FRONT_NET=${FRONT_NET:-172.30.$((100 + $$ % 100))}
export OPENAI_API_KEY_FILE=/run/secrets/providers/openai OPENAI_BASE_URL=http://provider:8080/v1
APPS='gateway router semantic-cache usage-worker'
TOOLS=deja-build:$DEJA_VERSION
SECONDS=0
source deploy/verify-steps.sh

finish() {
  local status=$?
  [ $status = 0 ] || { say 'FAILED'; tail -n 40 "$WORK/log" 2>/dev/null || true; }
  [ -z "${LOGGER:-}" ] || kill "$LOGGER" 2>/dev/null || true
  if [ -z "${KEEP:-}" ]; then
    docker rm --force "$NAME-load" "$NAME-provider" >/dev/null 2>&1 || true
    docker compose --profile all down --volumes --timeout 30 >/dev/null 2>&1 || true
    [ -n "$BUILT_BEFORE" ] || for app in $APPS build; do docker rmi "deja-$app:$DEJA_VERSION" >/dev/null 2>&1 || true; done
    rm -rf "$WORK"
  fi
  exit $status
}
trap finish EXIT

say 'every profile is a configuration that compose understands, with the services it should have'
expect_services '' 7
expect_services '--profile observability' 11
expect_services '--profile qdrant' 8
expect_services '--profile all' 12
[ "$(OBSERVABILITY=on COMPOSE_ENV_FILES=deploy/env.example docker compose config --services | wc -l)" = 11 ] || fail 'OBSERVABILITY=on does not bring its services'
OBSERVABILITY=on docker compose config | grep -q 'OTEL_EXPORTER_OTLP_ENDPOINT: http://otel-collector:4318' || fail 'OBSERVABILITY=on does not send traces'

say 'secrets are made once'
deploy/make-secrets.sh >/dev/null
printf 'sk-%s' "$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')" | deploy/make-secrets.sh provider openai >/dev/null
before=$(cat "$SECRETS_DIR"/*_* "$SECRETS_DIR"/providers/* | cksum)
deploy/make-secrets.sh >/dev/null
[ "$before" = "$(cat "$SECRETS_DIR"/*_* "$SECRETS_DIR"/providers/* | cksum)" ] || fail 'a secret was overwritten'

say 'up, until everything is ready'
use_stand_ins
if [ -z "$BUILT_BEFORE" ]; then
  docker build --quiet --target build --tag "$TOOLS" . >/dev/null
  docker compose --progress quiet build
fi
built=$SECONDS
docker compose --progress quiet up --detach --wait
done_in "ready $((SECONDS - built)) s after the images were built"
docker compose logs --follow --no-color > "$WORK/log" 2>&1 &
LOGGER=$!
docker run --detach --name "$NAME-provider" --network "${NAME}_front" --network-alias provider --volume "$PWD/deploy:/src/deploy:ro" "$TOOLS" node deploy/verify-provider.mjs 8080 >/dev/null

say 'who may reach what'
published=$(docker compose ps --format '{{.Service}} {{.Publishers}}' | grep -E '127\.0\.0\.1|0\.0\.0\.0' | cut -d' ' -f1 | xargs)
[ "$published" = proxy ] || fail "ports of $published are published"
! docker run --rm --network "${NAME}_front" "$TOOLS" node -e "require('node:dns').lookup('redis', (e) => process.exit(e ? 1 : 0))" || fail 'Redis is to be found from outside'
sdk deploy/verify-way-in.mjs "http://127.0.0.1:$PORT" "http://127.0.0.1:$ADMIN_PORT"
[ "$(docker compose exec -T gateway node -p 'process.getuid()')" = 1000 ] || fail 'the gateway runs as somebody else'

say 'a client with the official SDK'
sdk deploy/verify-client.mjs "http://127.0.0.1:$PORT/v1"

say 'three gateways behind the proxy'
docker compose --progress quiet up --detach --wait --no-recreate --scale gateway=3
in_turn 3

say 'rolling restart of every app under load, in place'
load_start
for app in $APPS; do
  for container in $(docker compose ps --quiet $app); do
    docker restart "$container" >/dev/null
    healthy $app
    in_turn 3
  done
done
docker compose kill --signal HUP proxy >/dev/null 2>&1
in_turn 3
load_stop 'restarted, and the proxy reloaded'

say 'rolling update to new containers under load'
load_start
deploy/roll.sh
load_stop updated

say 'kill -9 of everything that is not a gateway, under load'
load_start
for service in router semantic-cache usage-worker redis postgres; do
  kill_nine "$(docker compose ps --quiet $service | head -1)"
  healthy $service
done
docker compose --progress quiet stop redis
sleep 10 # longer than the proxy waits for anything
docker compose --progress quiet start redis
healthy redis
load_stop 'killed, and Redis away for ten seconds'

say 'kill -9 of a gateway, under load'
load_start
docker kill --signal USR1 "$NAME-load" >/dev/null
kill_nine "$(docker compose ps --quiet gateway | head -1)"
docker kill --signal USR2 "$NAME-load" >/dev/null
healthy gateway
in_turn 3
load_stop 'gateway killed'

say 'every request is in the ledger, once'
ledger_has_all

say 'Prometheus finds every replica'
docker compose --profile observability --progress quiet up --detach --wait --no-deps prometheus
prometheus_sees

say 'it stops cleanly, and knows keys and ledger when it is back'
rows=$(ledger 'select count(*) from usage.operations')
docker compose --progress quiet stop
for container in $(docker compose ps --all --quiet $APPS proxy); do
  code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
  [ "$code" = 0 ] || fail "$(docker inspect --format '{{.Name}}' "$container") ended with $code"
done
docker compose --progress quiet up --detach --wait
sdk deploy/verify-client.mjs "http://127.0.0.1:$PORT/v1"
eventually "[ \"\$(ledger 'select count(*) from usage.operations')\" -gt $rows ]" || fail 'the ledger does not go on'

say 'no secret in a log, nor in what Docker says of a container'
no_secrets

printf '\n%s\n' "verified in $SECONDS s: $TOTAL requests ($WHOLE whole, $STREAMED streamed, longest stream $LONGEST ms, $HITS from the cache), $FAILED failed, $BROKEN broken with a killed gateway, $LEDGER_ROWS ledger rows"
