#!/bin/sh
# Applies migrations when told to, and serves only on a schema that is current.
set -eu
cd "$(dirname "$0")/.."

# Who stops the container tells this shell alone: it passes that on, so that the log's last line says where it stopped.
attended() {
  "$@" &
  trap 'kill "$!"; wait "$!"; exit "$?"' TERM INT
  wait "$!"
  trap - TERM INT
}

case "$(printf '%s' "${RUN_MIGRATIONS:-}" | tr -d '[:space:]' | tr '[:upper:]' '[:lower:]')" in
  true | 1 | yes)
    attended migrate deploy
    # Only with a password of the operator's own: a generated one would end up in the log.
    if [ -n "${ADMIN_PASSWORD:-}${ADMIN_PASSWORD_FILE:-}" ]; then
      migrate seed
    fi
    ;;
  '' | false | 0 | no)
    migrate wait
    ;;
  *)
    echo "RUN_MIGRATIONS is '$RUN_MIGRATIONS'; use true, false, 1, 0, yes or no." >&2
    exit 2
    ;;
esac

# Sessions outlive a restart: without a key of the operator's, one is made once and kept with the data. The link is
# what makes it whole or not at all, and the first of two the only one.
if [ -z "${SECRET_KEY:-}${SECRET_KEY_FILE:-}" ]; then
  key=data/secret_key
  if [ ! -s "$key" ] && new=$(mktemp "$key.XXXXXX" 2>/dev/null); then
    python -c 'import secrets; print(secrets.token_hex(32))' >"$new"
    ln "$new" "$key" 2>/dev/null || true
    rm "$new"
  fi
  if [ -s "$key" ]; then
    export SECRET_KEY_FILE="$key"
  else
    echo "admin-panel: data/ can't keep a key, so everybody must sign in again after a restart; set SECRET_KEY" >&2
  fi
fi

# A process of Python computes on one core at a time, so there are two of them where there are two cores.
if [ -z "${WEB_CONCURRENCY:-}" ]; then
  WEB_CONCURRENCY=1
  [ "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" -lt 2 ] || WEB_CONCURRENCY=2
fi
case "$WEB_CONCURRENCY" in
  *[!0-9]* | 0*)
    echo "WEB_CONCURRENCY is '$WEB_CONCURRENCY'; use the number of processes that serve the panel, such as 2." >&2
    exit 2
    ;;
esac

# Loaded once and then forked, the processes share most of their memory, and a key that could not be kept.
# A connection serves one request: the next one goes to the process that has time for it, and no proxy sends a request
# into a connection that is being closed.
# Which proxies are believed, TRUSTED_PROXIES says, and the panel itself sees to it.
echo "admin-panel: starting on port ${PORT:-8000}"
exec gunicorn 'service.admin:create_app()' --bind "${BIND_HOST:-127.0.0.1}:${PORT:-8000}" \
  --workers "$WEB_CONCURRENCY" --threads 12 --preload \
  --timeout 60 --graceful-timeout 8 --keep-alive 0 --no-control-socket \
  --config python:service.admin.server --logger-class service.admin.log.PanelLogger \
  --forwarded-allow-ips ''
