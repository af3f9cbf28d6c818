# What backup.sh and restore.sh share: which Postgres, by which tools. To be sourced.
#   DATABASE_URL, DATABASE_URL_FILE   postgres://user:password@host:5432/name; else libpq's own variables (PGHOST, PGUSER, PGPASSWORD, PGDATABASE, …)
#   DEJA_PG                           a command in front of psql, pg_dump and pg_restore, where they are elsewhere, as `docker compose exec -T postgres`

fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# Of a part of a URL: %40 is @.
decoded() { local text=${1//\\/\\\\}; printf '%b' "${text//%/\\x}"; }

# As variables and not as arguments: those can be read by everybody who may list processes.
connect_by_url() {
  local url=${DATABASE_URL:-} pair
  if [ -z "$url" ] && [ -n "${DATABASE_URL_FILE:-}" ]; then url=$(tr -d '[:space:]' < "$DATABASE_URL_FILE"); fi
  unset DATABASE_URL
  [ -n "$url" ] || return 0
  local form='^postgres(ql)?://(([^:@/]*)(:([^@/]*))?@)?(\[[^]]*\]|[^:/?,]+)(:([0-9]+))?/([^?/]+)(\?(.*))?$'
  [[ $url =~ $form ]] || fail 'DATABASE_URL must look like postgres://user:password@host:5432/name; for anything else set PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE'
  local user=${BASH_REMATCH[3]} password=${BASH_REMATCH[5]} host=${BASH_REMATCH[6]} port=${BASH_REMATCH[8]} name=${BASH_REMATCH[9]} query=${BASH_REMATCH[11]}
  host=${host#[}
  export PGHOST=${host%]} PGPORT=${port:-5432} PGDATABASE
  PGDATABASE=$(decoded "$name")
  if [ -n "$user" ]; then export PGUSER; PGUSER=$(decoded "$user"); fi
  if [ -n "$password" ]; then export PGPASSWORD; PGPASSWORD=$(decoded "$password"); fi
  for pair in ${query//&/ }; do
    case $pair in
      sslmode=no-verify) export PGSSLMODE=require ;; # Node's word for it
      sslmode=*) export PGSSLMODE=${pair#*=} ;;
      sslrootcert=*) export PGSSLROOTCERT; PGSSLROOTCERT=$(decoded "${pair#*=}") ;;
    esac
  done
}

# shellcheck disable=SC2086 # a command of several words
tool() { ${DEJA_PG:-} "$@"; }

# One value from one statement.
asked() { tool psql -XqAt -v ON_ERROR_STOP=1 -c "$1" < /dev/null; }

checksums() { if command -v sha256sum > /dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# An older pg_dump refuses a newer server, and an older pg_restore the dump of a newer pg_dump.
expect_tools() {
  local server client
  server=$(asked 'show server_version_num') || fail 'Postgres cannot be asked: see above'
  server=$((server / 10000))
  client=$(tool "$1" --version) || fail "there is no $1: install the client of Postgres $server, or have it run elsewhere by DEJA_PG (docs/deploy.md, backups)"
  [[ $client =~ \)\ ([0-9]+) ]] || fail "$1 does not say its version: $client"
  [ "${BASH_REMATCH[1]}" -ge "$server" ] || fail "$1 is version ${BASH_REMATCH[1]} and the server $server, which it refuses: install the client of Postgres $server, or have it run elsewhere by DEJA_PG (docs/deploy.md, backups)"
  printf '%s\n' "$client"
}

# Rows of every table and sums of money, a line each. -v bodies=true|false: with or without captured bodies.
FIGURES=$(cat <<'SQL'
select format('select %L, count(*) from %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('router', 'usage') and c.relkind in ('r', 'p') and not c.relispartition and (:bodies or c.relname <> 'captures')
order by n.nspname, c.relname \gexec
select 'usage.operations, sums', coalesce(sum(cost_nano_usd), 0), coalesce(sum(saved_nano_usd), 0), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), coalesce(max(id::text), '') from usage.operations;
select 'usage.attempts, sums', coalesce(sum(cost_nano_usd), 0), coalesce(max(id::text), '') from usage.attempts;
select 'usage.rollup_days, sums', coalesce(sum(requests), 0), coalesce(sum(cost_nano_usd), 0) from usage.rollup_days;
select 'usage.spend, sums', coalesce(sum(nano_usd), 0) from usage.spend;
select 'router.audit, latest', coalesce(max(at)::text, '') from router.audit;
SQL
)

# By their names, with blanks between.
MASTER_KEYS_IN_USE=$(cat <<'SQL'
select string_agg(format('select key_id from router.%I', table_name), ' union ') as wrapped from information_schema.columns
where table_schema = 'router' and column_name = 'key_id' and table_name <> 'master_keys' \gset
select coalesce(string_agg(distinct key_id, ' '), '') from (:wrapped) as of_rows;
SQL
)
