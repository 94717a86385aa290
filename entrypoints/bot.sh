#!/bin/sh
# Waits until the schema is current, then answers messages. It never migrates.
set -eu
cd "$(dirname "$0")/.."

case "$(printf '%s' "${RUN_MIGRATIONS:-}" | tr -d '[:space:]' | tr '[:upper:]' '[:lower:]')" in
  '' | false | 0 | no) ;;
  *) echo "bot: RUN_MIGRATIONS is ignored here; only the admin panel migrates" ;;
esac
# Whatever stood there, right or wrong, is not this process's business.
unset RUN_MIGRATIONS

migrate wait
echo "bot: starting"
exec python -m service.bot
