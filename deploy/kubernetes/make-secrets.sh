#!/bin/sh
# Prints random secrets for a try-out with its own Redis and Postgres, one `key=value` a line, as `kubectl create secret generic deja --from-env-file` and
# kustomize's secretGenerator read them. Keep the output out of version control, and a copy of the master key where the database's backups are not.
set -eu
word() { openssl rand -hex 24; }
postgres=$(word)
cat <<SECRETS
redis-url=redis://deja-redis:6379
database-url=postgres://deja:$postgres@deja-postgres:5432/deja
postgres-password=$postgres
admin-key=$(word)
bootstrap-key=sk-deja-$(word)
master-key=$(openssl rand -base64 32)
qdrant-api-key=$(word)
SECRETS
