# What deploy/verify-compose.sh does again and again. Sourced by it.

TOTAL=0 WHOLE=0 STREAMED=0 HITS=0 FAILED=0 BROKEN=0 UNANSWERED=0 LONGEST=0 LEDGER_ROWS=0

say() { printf '== %4d s  %s\n' "$SECONDS" "$*"; }
done_in() { printf '           %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
# eventually CONDITION [SECONDS], which are many: a busy machine is slow to say that all is well.
eventually() { for _ in $(seq $((${2:-120} * 2))); do if eval "$1"; then return 0; fi; sleep 0.5; done; return 1; }

expect_services() { # PROFILE-OPTIONS COUNT
  [ "$(docker compose $1 config --services | wc -l)" = "$2" ] || fail "docker compose $1 has not $2 services"
}

use_stand_ins() {
  [ -z "${PROXY_IMAGE:-}" ] || return 0
  docker image inspect haproxy:3.2 >/dev/null 2>&1 && return 0
  docker pull --quiet haproxy:3.2 >/dev/null 2>&1 && return 0
  done_in 'haproxy:3.2 cannot be pulled: HAProxy and Prometheus from Debian stand in'
  export $(deploy/stand-ins.sh)
}

# sdk SCRIPT ARGUMENTS…: with the packages of this repository, from this machine. Keys go in as files.
sdk() {
  docker run --rm --network host --volume "$PWD/deploy:/src/deploy:ro" --volume "$SECRETS_DIR:/run/secrets:ro" --user root "$TOOLS" node "$@" | sed 's/^/           /'
}

healthy() { # SERVICE
  eventually "! docker inspect --format '{{.State.Health.Status}}' \$(docker compose ps --all --quiet $1) | grep -qv '^healthy$'" 180 || fail "$1 is not healthy"
}

in_turn() { # COUNT of gateways that the proxy sends requests to
  eventually "[ \"\$(docker compose exec -T proxy bash -c 'exec 3<>/dev/tcp/127.0.0.1/9464 && printf \"GET /metrics HTTP/1.0\\r\\n\\r\\n\" >&3 && cat <&3' | tr -d '\\r' | sed -n 's/^haproxy_backend_active_servers{proxy=\"gateways\"} //p')\" = $1 ]" || fail "the proxy does not have $1 gateways"
}

load_start() {
  docker run --detach --name "$NAME-load" --network host --volume "$PWD/deploy:/src/deploy:ro" --volume "$SECRETS_DIR/client_key:/run/secrets/client_key:ro" "$TOOLS" \
    node deploy/verify-load.mjs "http://127.0.0.1:$PORT/v1" >/dev/null
  # Streams of all lengths are then under way, and every gateway has seen the key.
  eventually 'docker logs "$NAME-load" | grep -q "under way"' || fail 'nothing is answered'
}

load_stop() { # WHAT WAS DONE MEANWHILE
  docker kill --signal TERM "$NAME-load" >/dev/null
  docker wait "$NAME-load" >/dev/null
  docker logs "$NAME-load" > "$WORK/load" 2>&1
  docker rm "$NAME-load" >/dev/null
  grep '^id ' "$WORK/load" | cut -d' ' -f2 >> "$WORK/seen" || true
  local told; told=$(grep '^whole=' "$WORK/load") || { cat "$WORK/load" >&2; fail 'the load did not tell what it saw'; }
  local whole streamed hits failed broken unanswered longest
  eval "local $told"
  WHOLE=$((WHOLE + whole)) STREAMED=$((STREAMED + streamed)) HITS=$((HITS + hits)) FAILED=$((FAILED + failed)) BROKEN=$((BROKEN + broken)) UNANSWERED=$((UNANSWERED + unanswered))
  TOTAL=$((TOTAL + whole + streamed + failed + broken))
  if [ "$longest" -gt "$LONGEST" ]; then LONGEST=$longest; fi
  done_in "$1: $((whole + streamed)) answered, $failed failed, $broken broken with a killed gateway"
  grep '^failure ' "$WORK/load" | sed 's/^/           /' || true
}

# As a crash: the process goes, and Docker starts it again. Where this is not the engine's own machine, Docker is told to do both.
kill_nine() { # CONTAINER
  local pid; pid=$(docker inspect --format '{{.State.Pid}}' "$1")
  if [ "$(cat "/proc/$pid/cgroup" 2>/dev/null | grep -c "$1")" -gt 0 ] && kill -9 "$pid" 2>/dev/null; then
    eventually "[ \"\$(docker inspect --format '{{.State.Pid}}' $1)\" != $pid ] && [ \"\$(docker inspect --format '{{.State.Running}}' $1)\" = true ]" || fail 'Docker did not start it again'
  else
    docker kill "$1" >/dev/null
    docker start "$1" >/dev/null
  fi
}

ledger() { # SQL
  docker compose exec -T postgres sh -c "PGPASSWORD=\$(cat /run/secrets/postgres_password) psql -h 127.0.0.1 -U deja -d deja -tAc \"$1\""
}

unrecorded() {
  ledger 'select id from usage.operations' | sort > "$WORK/recorded"
  comm -23 <(sort -u "$WORK/seen") "$WORK/recorded"
}

# Requests whose id the load saw are all there; beyond them only those of verify-client.mjs, and those that broke before their client saw an id.
ledger_has_all() {
  [ -z "$(sort "$WORK/seen" | uniq -d)" ] || fail 'two requests had one id'
  eventually '[ -z "$(unrecorded)" ]' 120 || fail "not in the ledger: $(unrecorded | wc -l)"
  LEDGER_ROWS=$(wc -l < "$WORK/recorded")
  [ "$(sort -u "$WORK/recorded" | wc -l)" = "$LEDGER_ROWS" ] || fail 'a request is there twice'
  local others; others=$(comm -13 <(sort -u "$WORK/seen") "$WORK/recorded" | wc -l)
  [ "$others" -le $((10 + UNANSWERED)) ] || fail "$others rows are of nobody's request"
  done_in "$LEDGER_ROWS rows: $(ledger "select string_agg(outcome || ' ' || n, ', ') from (select outcome, count(*) n from usage.operations group by outcome order by n desc) as counted")"
}

prometheus_sees() {
  local query='docker compose exec -T prometheus promtool query instant http://127.0.0.1:9090'
  eventually "[ \"\$($query 'count(up{job=~\"gateway|router|semantic-cache|usage-worker\"} == 1)' | sed 's/.*=> \\([0-9]*\\) .*/\\1/')\" = 6 ]" || fail 'Prometheus does not see six replicas'
  docker compose exec -T prometheus promtool check config /etc/prometheus/prometheus.yaml >/dev/null || fail 'promtool does not like the configuration'
}

no_secrets() {
  docker inspect $(docker compose --profile all ps --all --quiet) > "$WORK/inspected"
  local name value
  for name in admin_key client_key master_key postgres_password grafana_password redis_password providers/openai; do
    if [ $name = redis_password ]; then value=$(sed 's|^redis://:\(.*\)@.*|\1|' "$SECRETS_DIR/redis_url"); else value=$(cat "$SECRETS_DIR/$name"); fi
    ! grep -qF -- "$value" "$WORK/log" "$WORK/inspected" || fail "$name is in a log or in a container's description"
  done
  done_in "$(wc -l < "$WORK/log") lines of log"
}
