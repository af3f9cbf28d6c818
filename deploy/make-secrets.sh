#!/usr/bin/env bash
# Makes what docker-compose.yml reads as secrets, each a file. What is there is left alone, so it can be run again.
#   deploy/make-secrets.sh                      everything deja makes up itself, in ./secrets
#   deploy/make-secrets.sh provider openai      a provider's key, asked for or from standard input
# Only whoever runs this may enter ./secrets. The files in it may be read by all, because Docker mounts them with these modes for the accounts in the containers.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077
DIR=${SECRETS_DIR:-secrets}

word() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1; }
# make NAME VALUE: a file that appears whole or not at all, and never in place of another.
make() {
  [ ! -e "$DIR/$1" ] || return 0
  printf '%s\n' "$2" > "$DIR/$1.new"
  chmod 0444 "$DIR/$1.new"
  mv -n "$DIR/$1.new" "$DIR/$1"
  made+=("$1")
}

mkdir -p "$DIR"
chmod 0700 "$DIR"
mkdir -p "$DIR/providers"
chmod 0755 "$DIR/providers"
made=()

if [ "${1:-}" = provider ]; then
  name=${2:-}
  [[ "$name" =~ ^[A-Za-z0-9_-]+$ ]] || { echo 'usage: deploy/make-secrets.sh provider <name of letters, digits, _ and ->' >&2; exit 2; }
  [ ! -e "$DIR/providers/$name" ] || { echo "$DIR/providers/$name is there already: remove it first where it is to be another" >&2; exit 1; }
  [ ! -t 0 ] || printf 'Key of %s: ' "$name" >&2
  IFS= read -rs value || true
  [ ! -t 0 ] || echo >&2
  [ -n "$value" ] || { echo 'no key was given' >&2; exit 1; }
  make "providers/$name" "$value"
  echo "$DIR/providers/$name is there. In deja.yaml it is \${file:/run/secrets/providers/$name}"
  [ "$name" != openai ] || echo 'and without a deja.yaml, in .env, OPENAI_API_KEY_FILE=/run/secrets/providers/openai'
  exit
fi

make admin_key "$(word)"
make client_key "sk-deja-$(word)"
make master_key "$(head -c 32 /dev/urandom | base64)"
make postgres_password "$(word)"
make database_url "postgres://deja:$(cat "$DIR/postgres_password")@postgres:5432/deja"
make redis_url "redis://:$(word)@redis:6379"
redis_password=$(sed 's|^redis://:\(.*\)@.*|\1|' "$DIR/redis_url")
make redis_acl "user default on ~* &* +@all #$(printf %s "$redis_password" | sha256)
user probe on >probe resetkeys resetchannels -@all +ping"
make grafana_password "$(word)"

if [ ${#made[@]} = 0 ]; then echo "all is there already, in $DIR"; else echo "made in $DIR: ${made[*]}"; fi
cat <<TEXT
the first client key is in $DIR/client_key, the key of the admin API in $DIR/admin_key
keep a copy of $DIR/master_key where the database's backups are not: without it provider credentials and captured bodies cannot be read
TEXT
