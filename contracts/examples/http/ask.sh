#!/bin/sh
# Asks the fleet with curl and jq alone, over RabbitMQ's management API.
#   MANAGEMENT_URL=http://user:password@localhost:15672 ./ask.sh "Name three rivers."
# VHOST (default /), TENANT (default: default), PATIENCE_S (default 120).
set -eu
stop() {
    echo "$1" >&2
    exit 1
}
question=${1:?give the question, as in ./ask.sh "Name three rivers."}
: "${MANAGEMENT_URL:?is not set: set it as in http://user:password@localhost:15672}"
tenant=${TENANT:-default}
patience_s=${PATIENCE_S:-120}
vhost=$(jq -rn --arg name "${VHOST:-/}" '$name | @uri')
id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
queue="deepseek.reply.$tenant.$id"

# api METHOD PATH [JSON]: the user and password of MANAGEMENT_URL go with it; no error is passed over.
api() {
    curl --silent --show-error --fail-with-body --max-time 30 --request "$1" \
        --header 'content-type: application/json' ${3:+--data-binary "$3"} "$MANAGEMENT_URL/api/$2"
}

# The reply waits in a durable queue of this request's own, which the broker removes when nobody comes for it.
api PUT "queues/$vhost/$queue" '{"durable": true, "arguments": {"x-expires": 600000, "x-max-length-bytes": 67108864}}' ||
    stop "The reply queue can't be declared: see the line above."
trap 'api DELETE "queues/$vhost/$queue" || true' EXIT

# Not streamed: each look at the queue is a call of the API, and would show a chunk late.
request=$(jq -cn --arg id "$id" --arg queue "$queue" --arg key "interactive.$tenant" --arg question "$question" \
    --argjson deadline_ms "$(($(date +%s) * 1000 + patience_s * 1000))" '{
    routing_key: $key,
    properties: {correlation_id: $id, message_id: $id, reply_to: $queue, delivery_mode: 2,
                 content_type: "application/json", headers: {"fleet-deadline-ms": $deadline_ms}},
    payload_encoding: "string",
    payload: ({model: "deepseek-flash", messages: [{role: "user", content: $question}]} | tojson)}')
routed=$(api POST "exchanges/$vhost/deepseek.requests/publish" "$request") ||
    stop "The request was not taken ($routed). Where the exchange is missing, run 'fleet topology apply'."
[ "$(printf '%s\n' "$routed" | jq .routed)" = true ] || stop "No queue takes requests here: run 'fleet topology apply'."

# There is no waiting in this API, so it is asked each second. A reply that is read is gone from the queue.
# printf, since the echo of some shells would read the JSON's own backslashes.
until=$(($(date +%s) + patience_s + 5))
while [ "$(date +%s)" -lt "$until" ]; do
    reply=$(api POST "queues/$vhost/$queue/get" '{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}')
    kind=$(printf '%s\n' "$reply" | jq -r '.[0].properties.type // empty')
    case $kind in
        result.v1)
            printf '%s\n' "$reply" | jq -r '.[0].payload | fromjson | .response.choices[0].message.content'
            exit
            ;;
        failure.v1)
            printf '%s\n' "$reply" | jq -r '.[0].payload | fromjson | "\(.code): \(.message)"' >&2
            exit 1
            ;;
        '') sleep 1 ;;
    esac
done
stop "No reply within $patience_s s. Ask again with the same correlation ID to get it without paying twice."
