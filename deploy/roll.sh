#!/usr/bin/env bash
# Puts the present image and settings into every container of a service, one after the other, without a request that fails: docs/compose.md
#   deploy/roll.sh                 usage-worker, router, semantic-cache and gateway, in this order
#   deploy/roll.sh gateway         one of them
# One container more is started. When it is ready an old one stops: it is given what runs, and LONGEST_STREAM at most.
set -euo pipefail
cd "$(dirname "$0")/.."

# Gateways that the proxy sends requests to.
in_turn() {
  docker compose exec -T proxy bash -c "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3 && cat <&3" \
    | sed -n 's/^haproxy_backend_active_servers{proxy="gateways"} //p' | tr -d '\r'
}
wait_in_turn() {
  local known
  for _ in $(seq 240); do
    known=$(in_turn) || known=0
    if [ "${known:-0}" -ge "$1" ]; then return 0; fi
    sleep 0.5
  done
  echo "the proxy does not know of $1 gateways" >&2
  return 1
}

roll() {
  local service=$1 count old
  old=$(docker compose ps --quiet "$service")
  count=$(wc -w <<< "$old")
  [ "$count" -gt 0 ] || { echo "no container of $service runs" >&2; return 1; }
  for container in $old; do
    docker compose --progress quiet up --detach --wait --no-deps --no-build --no-recreate --scale "$service=$((count + 1))" "$service"
    [ "$service" != gateway ] || wait_in_turn $((count + 1))
    docker stop "$container" >/dev/null
    docker rm "$container" >/dev/null
  done
  echo "$service: $count replaced"
}

if [ $# = 0 ]; then set -- usage-worker router semantic-cache gateway; fi
for service in "$@"; do roll "$service"; done
