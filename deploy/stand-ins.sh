#!/usr/bin/env bash
# Where no registry can be reached: makes images of the proxy and of Prometheus from Debian's packages, on top of an image that is there, and prints what
# tells docker-compose.yml to use them:  export $(deploy/stand-ins.sh)
# They hold the same programs as the public images, of the versions that the base's Debian has (HAProxy 3.1 or later is needed: Debian 14).
set -euo pipefail
BASE=${STAND_IN_BASE:-redis:8-bookworm}
POSTGRES=${POSTGRES_IMAGE:-postgres:18-bookworm}

made() { docker image inspect "deja-stand-in-$1" >/dev/null 2>&1; }
image() { # NAME PACKAGE, and the rest of its Dockerfile on standard input
  made "$1" && return
  { printf 'FROM %s\nUSER root\nENTRYPOINT []\n' "$BASE"
    printf 'RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends %s >/dev/null && rm -rf /var/lib/apt/lists/*\n' "$2"
    cat
  } | docker build --quiet --tag "deja-stand-in-$1" - >&2
}

image proxy haproxy <<'DOCKERFILE'
USER haproxy
DOCKERFILE
image prometheus prometheus <<'DOCKERFILE'
RUN mkdir -p /prometheus && chown 65534:65534 /prometheus
USER 65534
VOLUME /prometheus
ENTRYPOINT ["prometheus"]
DOCKERFILE
# A Postgres that is a stand-in itself may lack the folder of its socket, which the public image has.
if ! docker run --rm --entrypoint test "$POSTGRES" -d /var/run/postgresql; then
  made postgres || printf 'FROM %s\nUSER root\nRUN install -d -o postgres -g postgres -m 3777 /var/run/postgresql\n' "$POSTGRES" | docker build --quiet --tag deja-stand-in-postgres - >&2
  echo POSTGRES_IMAGE=deja-stand-in-postgres
fi
echo PROXY_IMAGE=deja-stand-in-proxy
echo PROMETHEUS_IMAGE=deja-stand-in-prometheus
