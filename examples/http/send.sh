#!/bin/sh
# Sends to a user, to a group and to all with nothing but curl, and looks the user up.
#
#   ringway up                              # in another terminal
#   ringway connect --token alice-room7     # in a third one
#   examples/http/send.sh alice-room7 room7
#
# API_URL says where the API is, API_KEY is the key, where one is needed.
set -eu
user=${1:-alice-room7} group=${2:-room7}
api=${API_URL:-http://127.0.0.1:8090}

call() {
  # A name may hold anything: here it is one that needs no percent-encoding.
  curl --silent --show-error --fail-with-body -H 'Content-Type: application/json' \
    -H "Authorization: Bearer ${API_KEY:-none}" "$@"
  echo
}

call "$api/v1/users/$user/messages" -d '{"topic":"chat","data":{"text":"hello '"$user"'"}}'
call "$api/v1/groups/$group/messages" -d '{"topic":"chat","data":{"text":"hello all of you"}}'
call "$api/v1/messages" -d '{"text":"hello everybody"}'
call "$api/v1/users/$user"
