#!/bin/sh
# Replaces compose's workers by ones of the present image and settings. Old and new ones stand side by side until the
# old ones have finished what they run, so that requests are taken all the while: `docker compose up` alone would
# let all workers drain at the same time.
#   deploy/roll.sh --build                        build the image of this folder first
#   IMAGE=registry/deepseek-fleet:0.2.0 deploy/roll.sh      or take that one
# Each worker needs a port of HEALTH_PORT, for this time twice as many. COMPOSE_FILE and COMPOSE_PROJECT_NAME count.
set -eu
cd "$(dirname "$0")/.."

old=$(docker compose ps --quiet worker)
count=$(echo "$old" | wc -w)
if [ "$count" -eq 0 ]; then
    echo "No worker runs: start the fleet with 'docker compose up --detach --wait'." >&2
    exit 2
fi
if [ "${1:-}" = --build ]; then docker compose build topology; fi

# What is new in the topology comes first; it only adds.
docker compose run --rm --no-deps topology
if ! docker compose up --detach --wait --no-deps --no-recreate --scale "worker=$((2 * count))" worker; then
    new=$(docker compose ps --all --quiet worker | grep -vxF "$old" || true)
    # shellcheck disable=SC2086 # one word for each container
    for one in $new; do
        docker logs --tail 3 "$one" >&2 2>&1
        docker rm --force "$one" >/dev/null
    done
    echo "The new workers did not become ready, for what they say above, and are taken away; the old ones go on." >&2
    exit 1
fi
echo "$count new ready; the $count old ones end when their running calls have" >&2
# shellcheck disable=SC2086
docker stop $old >/dev/null
# shellcheck disable=SC2086
docker rm $old >/dev/null
docker compose up --detach --wait --no-deps --scale "worker=$count" worker
