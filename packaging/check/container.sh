#!/bin/bash
# Builds the image of the server and does with it what README and docs/container.md say: container.sh [BASE.tar]
# Docker's engine is not needed: buildah builds, podman runs, and Debian's docker-compose talks to podman's socket.
# Everything happens in namespaces of its own, what runs has a network of its own too, and nothing stays behind.
# It wants root and the [check] packages of system-packages.txt; without a tarball it makes one (base.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/packaging/check
patience=600

say() { echo "== container, $SECONDS s: $*"; }
die() { say "FAILED: $*"; exit 1; }

clean_up() {
  kill -KILL $(jobs -p) 2>/dev/null || true
  wait
  local container
  for container in "$work"/run/*-containers/*/; do # their control groups, where they were killed with the rest
    [ ! -d "$container" ] ||
      find /sys/fs/cgroup -depth -type d -path "*libpod-$(basename "$container")*" -exec rmdir {} + 2>/dev/null || true
  done
  rm -rf --one-file-system "$work" 2>/dev/null || { sleep 2; rm -rf --one-file-system "$work"; }
}

if [ "${1-}" != inside ]; then
  work=$(mktemp -d)
  trap clean_up EXIT
  base=${1-}
  if [ -z "$base" ]; then
    base=$work/base.tar
    "$here/base.sh" "$base"
    say "a new Debian is made"
  fi
  unshare --mount --pid --fork --kill-child --mount-proc "$here/container.sh" inside "$work" "$base" "$SECONDS" &
  machine=$!
  timeout "$patience" tail --pid=$machine -s 0.2 -f /dev/null || die "not done within $patience s"
  wait $machine
  exit
fi

work=$2
base=$3
SECONDS=$4
export HOME=$work/home CONTAINERS_CONF=$work/containers.conf DOCKER_HOST=unix://$work/engine PATH=$work/bin:$PATH

page_line() { "$here/readme-command.sh" "$1" "${2-docs/container.md}"; } # WORDS [PAGE]

follow() { # WORDS [PAGE]: run the line of the page that starts so
  local line
  line=$(page_line "$@")
  say "$line"
  eval "$line"
}

# ---- before the network is left

prepare() {
  mkdir -p "$HOME" "$work/bin" "$work/tmp"
  # Where podman and its parts keep what they know of, wherever their images lie.
  for folder in /dev/shm /run/containers /run/netns /run/runc /var/lib/containers /etc/containers/networks; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
  done
  # Images are many small files, which take longer to drop than to use: in memory, where there is plenty, they just go.
  mkdir "$work/images"
  [ "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)" -lt 12000000 ] || mount -t tmpfs tmpfs "$work/images"
  # Overlays do not lie on overlays; where this is one, every container is a copy.
  local probe=$work/images/probe driver=vfs
  mkdir -p "$probe"/{lower,upper,work,merged}
  if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" \
    "$probe/merged" 2>/dev/null; then
    umount "$probe/merged"
    driver=overlay
  fi
  rm -r "$probe"
  store=(--root "$work/images" --runroot "$work/run" --storage-driver "$driver")
  # The command of the pages, without Docker.
  cat > "$work/bin/docker" <<END
#!/bin/bash
[ "\$1" != compose ] || exec docker-compose "\${@:2}"
exec podman ${store[@]@Q} "\$@" 2> >(grep -v 'systemd connection' >&2)
END
  chmod +x "$work/bin/docker"
  # No more open files and processes than this machine may give, and neither systemd nor the journal.
  local files processes
  files=$(ulimit -Hn | sed s/unlimited/65536/) processes=$(ulimit -Hu | sed s/unlimited/30000/)
  cat > "$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "$work/tmp"
[network]
network_backend = "netavark"
END
}

build() { # NAME WORDS…
  local log=$work/build-${1%:*}.log
  buildah "${store[@]}" bud -q --isolation chroot --format docker --pull-never -t "docker.io/library/$1" "${@:2}" \
    > "$log" 2>&1 || { tail -n 40 "$log"; die "$1 cannot be built"; }
  say "$1 is built: $(($(docker image inspect -f '{{.Size}}' "$1") / 1000000)) MB"
}

if [ "${5-}" != running ]; then
  prepare
  docker import -q "$base" docker.io/library/debian:bookworm-slim > /dev/null
  build postgres:17 packaging/check/postgres &
  build sonoteca-server -f packaging/Dockerfile .
  wait $!
  exec unshare --net "$here/container.sh" inside "$work" "$base" "$SECONDS" running
fi

# ---- in a network of its own

address=http://127.0.0.1:8282
fetch() { curl -fsS --noproxy '*' --max-time 20 "$@"; }
status() { curl -sS --noproxy '*' --max-time 20 -o /dev/null -w '%{http_code}' "$@"; }

within() { # SECONDS WHAT COMMAND…: until the command succeeds
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    [ "$SECONDS" -lt $deadline ] || die "no sign of this in time: $what"
    sleep 0.2
  done
  say "$what"
}

container() { docker ps -aq --filter "label=com.docker.compose.service=$1"; } # SERVICE
server() { container server; }
working() { docker logs "$(container worker)" | grep 'Sonoteca worker on /data'; }
state() { docker inspect -f "{{.State.$1}}" "$(server)"; }
healthy() { [ "$(state Health.Status)" = healthy ] && fetch $address/healthz; }

tell() { # on failure: what the parts said last
  local code=$?
  [ $code = 0 ] || tail -n 15 "$work"/*.log
  [ $code = 0 ] || docker logs --tail 15 "$(server)" || true
}

look_into() { # the running server
  [ "$(docker exec "$(server)" id -u)" = 10001 ] || die "it does not run as uid 10001"
  [[ $(docker exec -u 0 "$(server)" touch /here 2>&1 || true) = *'Read-only file system'* ]] ||
    die "its root can be written to"
  docker exec "$(server)" grep -q '^CapEff:\s0*$' /proc/1/status || die "it has capabilities"
  docker exec "$(server)" grep -q '^NoNewPrivs:\s1$' /proc/1/status || die "it may gain privileges"
  [ "$(docker port "$(server)")" = '8282/tcp -> 127.0.0.1:8282' ] || die "it is published elsewhere than on loopback"
  [ "$(status -H 'Host: elsewhere.example' $address/list)" = 421 ] || die "it answers for any host"
  say "uid 10001, a root that is read-only, no capabilities, this machine alone"
}

make_wav() { # FILE: three seconds of noise
  python3 -B -c 'import os, sys, wave
with wave.open(sys.argv[1], "wb") as wav:
    wav.setparams((2, 2, 48_000, 0, "NONE", ""))
    wav.writeframes(os.urandom(4 * 48_000 * 3))' "$1"
}

upload() { # the noise, and wait for its waveform, which a process of its own computes
  id=$(fetch --data-binary @"$work/noise.wav" "$address/post?name=noise.wav" | sed 's/.*"id":"\([^"]*\)".*/\1/')
  within 20 "a sound and its waveform" fetch "$address/api/v1/sounds/$id/peaks"
}

same() { # the noise is listed and comes back as it was
  [ "$(fetch $address/list)" = '["noise.wav"]' ] || die "the library is not what it was: $(fetch $address/list)"
  fetch -o "$work/copy.wav" "$address/download?name=noise.wav"
  cmp "$work/noise.wav" "$work/copy.wav" || die "the sound came back with other bytes"
  say "the sound comes back as it went"
}

archive_status() { fetch "$address/api/archive/status/$hash"; }
archive_ready() { archive_status | grep -q '"status": *"completed"'; }

collect() { # an archive of two files that this machine serves, by their addresses
  local place=http://$SONOTECA_FETCH_ALLOW url
  hash=$(fetch "$address/api/archive/create" --json "{\"urls\": [\"$place/noise.wav\", \"$place/notes.txt\"]}" |
    sed 's/.*"archive_hash": *"\([^"]*\)".*/\1/')
  within 60 "an archive of two addresses is completed" archive_ready
  url=$(archive_status | sed 's/.*"url": *"\([^"]*\)".*/\1/')
  [ "$url" = "$address/archive/get/$hash.zip" ] || die "the archive is said to be at $url"
  fetch -o "$work/files.zip" "$url"
  python3 -B -m zipfile -e "$work/files.zip" "$work/from-zip"
  diff -r "$work/files" "$work/from-zip" || die "the archive has other files than were asked for"
  say "an archive holds the two files as they are"
}

convert() { # as docs/convert.md has it
  (cd "$work" && cp noise.wav in.wav && follow 'curl -F file=@in.wav -F format=mp3' docs/convert.md 2> curl.log)
  ffprobe -v error -show_entries format=format_name,duration -of csv=p=0 "$work/out.mp3" | grep -q '^mp3,3\.0' ||
    die "this is no MP3 of three seconds: $(head -c 300 "$work/out.mp3")"
  say "a WAV comes back as MP3"
}

ip link set lo up
trap tell EXIT
docker system service --time 0 "$DOCKER_HOST" 2> "$work/engine.log" &
# The engine leaves health checks to systemd's timers, which are not there.
while sleep 0.5; do
  for each in $(docker ps -q); do docker healthcheck run "$each" || true; done
done > /dev/null 2>&1 &
within 30 "the engine answers" curl -fsS --max-time 5 --unix-socket "$work/engine" http://engine/_ping
make_wav "$work/noise.wav"
mkdir "$work/files"
cp "$work/noise.wav" "$work/files"
echo "Three seconds of noise." > "$work/files/notes.txt"
python3 -B -m http.server --directory "$work/files" 8300 > "$work/files.log" 2>&1 &

up=$(page_line 'docker compose -f packaging/compose.yaml up' README.md)
say "$up"
eval "exec $up" > "$work/up.log" 2>&1 &
compose=$!
within 90 "the server is healthy" healthy
grep -q 'WARNING: everyone' "$work/up.log" || die "it does not warn that everyone may come in"
look_into
upload
same
convert
# This machine, as the container sees it from the next start on.
SONOTECA_FETCH_ALLOW=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}' "$(server)"):8300
export SONOTECA_FETCH_ALLOW
kill -TERM $compose # as Ctrl+C does
wait $compose || die "the command ended with $?"
[ "$(state Status) $(state ExitCode)" = 'exited 0' ] || die "it did not stop well: $(state Status) $(state ExitCode)"
say "stopped, with exit code 0"

follow 'docker compose -f packaging/compose.yaml up -d'
within 90 "the server is healthy" healthy
same
collect
follow 'docker compose -f packaging/compose.yaml exec -T server sonoteca-server verify'
follow 'docker compose -f packaging/compose.yaml stop'
(cd "$work" && follow 'docker run --rm --entrypoint tar')
follow 'docker compose -f packaging/compose.yaml start'
follow 'docker compose -f packaging/compose.yaml logs server' > "$work/said.log"
grep -q 'Sonoteca server on' "$work/said.log" || die "the log of the server is not shown"
follow 'docker compose -f packaging/compose.yaml down -v'
(cd "$work" && follow 'docker run --rm -i --entrypoint tar')
follow 'SONOTECA_PORT=9000 docker compose -f packaging/compose.yaml up -d'
address=http://127.0.0.1:9000
within 90 "the server is healthy" healthy
same
follow 'docker compose -f packaging/compose.yaml down -v'

follow 'export POSTGRES_PASSWORD='
follow 'docker compose -f packaging/compose.yaml -f packaging/compose.scale.yaml'
address=http://127.0.0.1:8282
within 90 "the server is healthy" healthy
upload
same
rows=$(docker exec -e PGPASSWORD="$POSTGRES_PASSWORD" "$(container db)" \
  psql -h 127.0.0.1 -U sonoteca -Atc 'select count(*) from sounds')
[ "$rows" = 1 ] || die "PostgreSQL has $rows sounds, not the one that was sent"
within 30 "a worker runs beside the server" working
docker compose -f packaging/compose.yaml -f packaging/compose.scale.yaml down -v
[ -z "$(docker ps -aq)$(docker volume ls -q)" ] || die "containers or volumes are left"
say "what docs/container.md says is so"
