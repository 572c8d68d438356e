#!/usr/bin/env bash
# Writes the secrets of a cluster into docker/.env, which compose reads: drawn anew, readable by you alone, never twice.
set -euo pipefail
file="${1:-$(dirname "$0")/.env}"
if [ -e "$file" ]; then
    echo "$file exists, and what runs was started with it. Remove it, and all volumes, to begin anew." >&2
    exit 2
fi
draw() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
{
    for name in RAY_AUTH_TOKEN POSTGRES_PASSWORD SEARCHER_PGPASSWORD MLFLOW_PGPASSWORD DASHBOARD_PGPASSWORD \
        MLFLOW_ADMIN_PASSWORD MLFLOW_SEARCHER_PASSWORD MLFLOW_SECRET_KEY; do
        echo "$name=$(draw)"
    done
} >"$file"
echo "Wrote $file."
