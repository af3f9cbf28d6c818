#!/usr/bin/env bash
# Builds the four images, looks at what they are, and measures how large they are and how fast they start. Needs a Docker engine.
#   deploy/images.sh              build, check, measure
#   BUILD=0 deploy/images.sh      of what is built already
#   REPRODUCE=1 deploy/images.sh  and builds the gateway's once more without any cache, to compare
set -euo pipefail
cd "$(dirname "$0")/.."

APPS='gateway router semantic-cache usage-worker'
declare -A OPS=([gateway]=9460 [router]=9461 [semantic-cache]=9462 [usage-worker]=9463)
NAME=deja-images-$$
WORK=$(mktemp -d)
STARTS=${STARTS:-5}
VERSION=${VERSION:-$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)}
REVISION=${REVISION:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
PROBLEMS=0

say() { printf '\n== %s\n' "$*"; }
expect() { # WHAT, then a command that must succeed
  local what=$1
  shift
  if "$@"; then echo "ok: $what"; else echo "NOT: $what"; PROBLEMS=$((PROBLEMS + 1)); fi
}
finish() {
  docker ps --all --quiet --filter "label=deja-images=$NAME" | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
  docker network rm "$NAME" >/dev/null 2>&1 || true
  rm -rf "$WORK"
}
trap finish EXIT

build() { # TAG, and more arguments
  local tag=$1 app
  shift
  for app in $APPS; do
    docker build --quiet "$@" --target "$app" --tag "deja-$app:$tag" --build-arg "VERSION=$VERSION" --build-arg "REVISION=$REVISION" \
      ${SOURCE_DATE_EPOCH:+--build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH"} ${SOURCE:+--build-arg "SOURCE=$SOURCE"} ${NODE_IMAGE:+--build-arg "NODE_IMAGE=$NODE_IMAGE"} . >/dev/null
  done
}

inspect() { docker image inspect --format "$2" "deja-$1:${TAG:-local}"; }
# Each layer of the gateway with what made it.
layers() {
  paste -d ' ' <(docker image inspect --format '{{join .RootFS.Layers "\n"}}' "deja-gateway:$1") \
    <(docker history --no-trunc --format '{{.CreatedBy}}' "deja-gateway:$1" | tac | grep --extended-regexp '^(COPY|WORKDIR)')
}
in_image() { docker run --rm --network none --read-only --entrypoint node "deja-$1:${TAG:-local}" "${@:2}"; }
# Paths in an image, one a line, without the slash at the front.
files() { cat "$WORK/$1.files"; }
none() { ! files "$1" | grep --extended-regexp "$2" | sed 's/^/     /' | grep . ; }

check() {
  local app=$1 id labels
  id=$(docker create "deja-$app:${TAG:-local}")
  docker export "$id" > "$WORK/$app.tar"
  docker rm "$id" >/dev/null
  tar --list --file "$WORK/$app.tar" > "$WORK/$app.files"
  labels=$(inspect "$app" '{{json .Config.Labels}}')
  expect 'it runs as a user by number who is not root' [ "$(inspect "$app" '{{.Config.User}}')" = 1000:1000 ]
  expect 'it has a health check and stops by SIGTERM' [ "$(inspect "$app" '{{len .Config.Healthcheck.Test}} {{.Config.StopSignal}}')" = '4 SIGTERM' ]
  for label in title description version revision licenses base.name; do
    expect "label $label" grep --quiet "\"org.opencontainers.image.$label\":\"[^\"]" <<<"$labels"
  done
  expect 'no shell, no package manager' none "$app" '(^|/)(sh|bash|dash|busybox|apt|dpkg|apk|npm|npx|yarn|corepack)$'
  expect 'no sources, no tests, no package.json of a workspace' none "$app" '\.(ts|tsx)$|\.spec\.|(^|/)(src|test)/|package-lock\.json|(apps|libs)/[^/]*/package\.json|models/[^/]*/train/'
  expect 'no sources in source maps' in_image "$app" -e "for (const f of require('fs').readdirSync('apps/$app/out').filter((f) => f.endsWith('.map'))) if ('sourcesContent' in JSON.parse(require('fs').readFileSync('apps/$app/out/' + f))) process.exit(1)"
  expect 'no package installed but the native one that is meant' none "$app" 'node_modules/(onnxruntime-(node|common)/.*node_modules|[^o/])'
  expect 'nothing by name that holds secrets' none "$app" '(^|/)(\.env[^/]*|\.npmrc|\.git|secrets/.+|id_[a-z0-9]+|[^/]*\.(pem|key))$'
  expect 'no secret of this folder' without_secrets "$app"
  expect 'its user may write to /var/lib/deja and /tmp, and nowhere else' [ "$(tar --list --verbose --numeric-owner --file "$WORK/$app.tar" | grep --extended-regexp '^d.* 1000/1000 |^d.......w' | grep --only-matching --extended-regexp '[^ ]*$' | xargs)" = 'tmp/ var/lib/deja/' ]
  expect 'nothing runs as another user than who starts it' [ -z "$(tar --list --verbose --file "$WORK/$app.tar" | grep --extended-regexp '^-..[sS]|^-.....[sS]' || true)" ]
  expect 'SBOM and licences are of what is bundled' in_image "$app" -e "
    const { readFileSync } = require('fs');
    const sbom = JSON.parse(readFileSync('sbom.cdx.json', 'utf8'));
    const licenses = readFileSync('licenses.txt', 'utf8');
    const of = (kind) => sbom.components.filter(({ purl }) => purl.startsWith('pkg:' + kind));
    if (sbom.bomFormat !== 'CycloneDX' || of('npm').length === 0 || of('generic').length !== 1) process.exit(1);
    if (of('npm').some(({ 'bom-ref': ref }) => !licenses.includes('\n' + ref.replace(/@([^@]*)\$/, ' \$1') + ': '))) process.exit(1);
    console.log('    ', of('npm').length, 'packages of npm,', of('deb').length, 'of Debian, and Node', of('generic')[0].version);"
}

# Whether no value of .env or ./secrets is anywhere in the image; shorter ones may be there by chance.
without_secrets() {
  { cat secrets/* secrets/*/* 2>/dev/null || true; sed -n 's/^[A-Z_]*\(KEY\|PASSWORD\|SECRET\|TOKEN\)=//p' .env 2>/dev/null || true; } | grep --extended-regexp '.{12,}' > "$WORK/values" || return 0
  ! docker save "deja-$1:${TAG:-local}" | grep --quiet --text --fixed-strings --file "$WORK/values"
}

# Milliseconds from the start of the container's process until it says that it is ready.
start_ms() {
  local app=$1 id port began
  id=$(start "$app" --publish "127.0.0.1::${OPS[$app]}")
  port=$(docker port "$id" "${OPS[$app]}" | head -1 | sed 's/.*://')
  until curl --silent --fail --output /dev/null --max-time 2 "http://127.0.0.1:$port/readyz"; do
    [ "$(docker inspect --format '{{.State.Running}}' "$id")" = true ] || { docker logs "$id" >&2; return 1; }
    sleep 0.01
  done
  local now=$(date +%s%N)
  began=$(date --date "$(docker inspect --format '{{.State.StartedAt}}' "$id")" +%s%N)
  echo $(((now - began) / 1000000))
  docker inspect --format '{{.Id}}' "$id" > "$WORK/last"
}

start() { # APP, and more arguments
  docker run --detach --label "deja-images=$NAME" --network "$NAME" --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    --env REDIS_URL=redis://redis:6379 --env DATABASE_URL=postgres://postgres:images@postgres:5432/postgres --env DEJA_ADMIN_KEY=deja-admin-images --env DEJA_BOOTSTRAP_KEY=sk-deja-000000000000-images \
    --env "DEJA_MASTER_KEY=$MASTER_KEY" "${@:2}" "deja-$1:${TAG:-local}"
}

measure() {
  local app i
  MASTER_KEY=$(head -c 32 /dev/urandom | base64)
  docker network create "$NAME" >/dev/null
  docker run --detach --label "deja-images=$NAME" --network "$NAME" --network-alias redis "${REDIS_IMAGE:-redis:8-bookworm}" redis-server --save '' >/dev/null
  docker run --detach --label "deja-images=$NAME" --network "$NAME" --network-alias postgres --env POSTGRES_PASSWORD=images "${POSTGRES_IMAGE:-postgres:18-bookworm}" >/dev/null
  for app in router usage-worker semantic-cache gateway; do start_ms "$app" >/dev/null; done # migrations run once, and each finds the others
  printf '%-16s %8s %8s %10s  %s\n' app 'ready ms' 'CPU ms' memory 'each start: ready ms, CPU ms, memory'
  for app in $APPS; do
    for i in $(seq "$STARTS"); do
      start_ms "$app"
      # Clock ticks of a hundredth of a second, of the app's own process.
      docker exec "$(cat "$WORK/last")" node -p "require('fs').readFileSync('/proc/1/stat', 'utf8').split(' ').slice(13, 15).reduce((sum, ticks) => sum + ticks * 10, 0)"
      docker stats --no-stream --format '{{.MemUsage}}' "$(cat "$WORK/last")" | sed 's| /.*||'
      docker rm --force --volumes "$(cat "$WORK/last")" >/dev/null
    done | paste -d ' ' - - - > "$WORK/starts"
    printf '%-16s %8s %8s %10s  %s\n' "$app" "$(middle 1 --numeric-sort)" "$(middle 2 --numeric-sort)" "$(middle 3 --sort=human-numeric)" "$(paste --serial --delimiters ',' "$WORK/starts")"
  done
}

middle() { cut -d ' ' -f "$1" "$WORK/starts" | sed 's/iB$//' | sort "$2" | sed -n "$((STARTS / 2 + 1))p"; }

if [ "${BUILD:-1}" = 1 ]; then
  say "build of version $VERSION, revision $REVISION"
  build "${TAG:-local}"
fi

for app in $APPS; do
  say "deja-$app"
  check "$app"
done

say 'sizes'
docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep --extended-regexp "^deja-(${APPS// /|}):${TAG:-local} " | sort | sed 's/^/  /'
for app in $APPS; do
  echo "deja-$app"
  docker history --no-trunc --format '{{.Size}} {{.CreatedBy}}' "deja-$app:${TAG:-local}" | grep --invert-match '^0B ' | sed 's/ # buildkit//' | sed 's/^/    /'
done

say "start, until ready, $STARTS times each, with Redis and Postgres beside: read-only, without capabilities"
measure

if [ "${REPRODUCE:-0}" = 1 ]; then
  say 'the gateway, built once more without any cache'
  APPS=gateway build again --no-cache
  diff <(layers "${TAG:-local}") <(layers again) | sed -n 's/^> /differs: /p' || true
  docker rmi deja-gateway:again >/dev/null
fi

say "$PROBLEMS problems"
[ "$PROBLEMS" = 0 ]
