# Sourced by the steps that need containers: a Docker engine, and images.
# shellcheck shell=bash

engine=

# need_docker: an engine that answers. Root on Debian gets one of its own where there is none, until
# stop_docker.
need_docker() {
    if command -v docker >/dev/null && docker info >/dev/null 2>&1; then return; fi
    if [[ -n ${DOCKER_HOST:-} ]]; then missing "a Docker engine" "nothing answers at DOCKER_HOST"; fi
    if ! may_install; then missing "a Docker engine that answers" "start one, or run ci/test --quick"; fi
    need dockerd docker.io
    local kept storage
    kept=$(cache)/docker
    # The second takes more room, and works where the first does not: on top of another overlay.
    for storage in overlay2 vfs; do
        # Its socket's path must be short.
        export DOCKER_HOST="unix://$TMPDIR/docker.sock"
        dockerd --data-root "$kept" --exec-root "$TMPDIR/docker" --pidfile "$TMPDIR/docker.pid" \
            --host "$DOCKER_HOST" --storage-driver "$storage" >"$TMPDIR/docker.log" 2>&1 &
        engine=$!
        while kill -0 "$engine" 2>/dev/null; do
            if docker info >/dev/null 2>&1; then return; fi
            sleep 0.2
        done
        engine=
    done
    tail -n 3 "$TMPDIR/docker.log"
    missing "a Docker engine" "the one that was installed does not start here, as said above"
}

stop_docker() {
    if [[ -z $engine ]]; then return; fi
    kill -TERM "$engine" 2>/dev/null || true
    wait "$engine" || true
    engine=
}

# need_images: those that variables name, else the official ones, or, where one of these cannot be
# had, images of our own.
need_images() {
    local official=(REDIS=redis:8 VALKEY=valkey/valkey:8 POSTGRES=postgres:17 MYSQL=mysql:8.4 MARIADB=mariadb:11.8)
    local entry variable image
    for entry in "${official[@]}"; do
        variable=SESSION_TEST_${entry%%=*}_IMAGE
        image=${entry#*=}
        if [[ -n ${!variable:-} ]] || docker image inspect "$image" >/dev/null 2>&1; then continue; fi
        if timeout 120 docker pull --quiet "$image" >/dev/null 2>&1; then continue; fi
        echo "$image cannot be pulled: images are made from Debian's packages"
        if ! may_install; then missing "$image" "name an image in $variable"; fi
        ci/images/build >"$TMPDIR/images"
        while IFS='=' read -r variable image; do
            if [[ -z ${!variable:-} ]]; then export "$variable=$image"; fi
        done <"$TMPDIR/images"
        return
    done
}

need_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    else
        need docker-compose docker-compose
        compose=(docker-compose)
    fi
    compose+=(--file ci/compose.yaml --project-name "session-test-$$")
}

# up: starts the servers of ci/compose.yaml, and waits until all are healthy.
up() {
    SESSION_TEST_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    export SESSION_TEST_PASSWORD
    # Free ones as a rule, and not where the system takes ports for outgoing connections.
    export SESSION_TEST_CLUSTER_FIRST_PORT=$((17000 + $$ % 1000 * 10))
    export SESSION_TEST_CLUSTER_LAST_PORT=$((SESSION_TEST_CLUSTER_FIRST_PORT + 5))
    "${compose[@]}" up -d
    local waited container state
    for container in $("${compose[@]}" ps -q); do
        for ((waited = 0; ; waited++)); do
            state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' "$container")
            if [[ $state == 'running healthy' ]]; then break; fi
            if [[ $state != 'running starting' || $waited -gt 600 ]]; then
                docker inspect --format "{{.Name}} is $state: {{.Config.Image}}" "$container"
                docker logs --tail 30 "$container"
                return 1
            fi
            sleep 0.5
        done
    done
}

# at SERVICE PORT: where it is published.
at() { "${compose[@]}" port "$1" "$2"; }

# version SERVICE PROGRAM: what the server in the container says of itself, for the results.
version() {
    local said
    said=$("${compose[@]}" exec -T "$1" "$2" --version 2>/dev/null | head -n 1)
    if [[ $1 == valkey && $said != *[Vv]alkey* || $1 == mysql && $said == *MariaDB* ]]; then
        said+=", standing in for $1"
    fi
    printf '%s\t%s, in a container\n' "$1" "$said"
}
