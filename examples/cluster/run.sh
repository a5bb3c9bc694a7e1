#!/usr/bin/env bash
# Starts three workers and a gateway as separate processes, and stops them on Ctrl-C.
#
#   examples/cluster/run.sh [path of the ringway binary]
set -euo pipefail
# Each node is a job of its own: Ctrl-C reaches this script alone, which then ends them in order. A second signal would end them at once.
set -m
here=$(cd "$(dirname "$0")" && pwd)
ringway=${1:-$here/../../target/release/ringway}

# The secret that lets nodes and back ends in. Whoever runs `ringway send` needs it too.
secret=$(mktemp)
od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$secret"
processes=()
stop() {
  kill "${processes[@]}" 2>/dev/null || true
  wait
  rm -f "$secret"
}
trap stop EXIT

for worker in w1 w2 w3; do
  "$ringway" worker --config "$here/ringway.toml" --secret-file "$secret" --id "$worker" &
  processes+=($!)
done
"$ringway" gateway --config "$here/ringway.toml" --secret-file "$secret" &
processes+=($!)

echo "clients connect to ws://127.0.0.1:8080/ws?token=NAME"
echo "send with: $ringway send user NAME TEXT --secret-file $secret"
wait
