#!/bin/bash
# Runs README's two commands, each on a bare Debian 12 of its own that has nothing but Python: fresh.sh [BASE.tar]
# Without a tarball it makes one (base.sh). It wants root and the [check] packages of system-packages.txt; all it
# starts lives in process namespaces of its own, so nothing stays behind.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf --one-file-system "$work"' EXIT

say() { echo "== fresh machine, $((SECONDS)) s: $*"; }
die() { say "FAILED: $*"; exit 1; }

new_machine() { # NAME: a new Debian with Python, and our files in /src
  mkdir "$work/$1"
  tar -C "$work/$1" -xf "$base"
  mkdir "$work/$1/src"
  on_machine "$1" "$python" > "$work/$1.log" 2>&1 || { tail -n 20 "$work/$1.log"; die "Python cannot be installed"; }
  git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
    tar --null --files-from=- --ignore-failed-read -c 2>/dev/null | tar -C "$work/$1/src" -x
}

on_machine() { # NAME COMMAND: run it there as root, with this machine's network settings and no more of its environment
  local keep
  mapfile -t keep < <(env | grep -E '^(PIP_(CERT|INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT)|SSL_CERT_FILE|https?_proxy|no_proxy)=' || true)
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$1; shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    mkdir -p /tmp/.X11-unix "$root/tmp/.X11-unix"
    mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
    exec env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' \
    bash "$work/$1" "${keep[@]}" ${DISPLAY_THERE:+DISPLAY="$DISPLAY_THERE"} chroot "$work/$1" bash -uc "cd /src; $2"
}

wait_until() { # NAME SECONDS WHAT COMMAND…: until the command succeeds, unless the machine's own command ends first
  local name=$1 deadline=$((SECONDS + $2)) what=$3
  shift 3
  until "$@"; do
    [ ! -e "$work/$name/ended" ] || die "it ended before $what (exit code $(cat "$work/$name/ended"))"
    [ $SECONDS -lt $deadline ] || die "no sign of $what in time"
    sleep 0.3
  done
  say "$what"
}

said() { grep -q -- "$1" "$log"; }
window_opened() { DISPLAY=$DISPLAY_THERE xdotool search --onlyvisible --name Sonoteca >/dev/null 2>&1; }

run_there() { # NAME SIGN…: README's run command until the sign is there, then what curl sees, then Ctrl+C
  local name=$1 url
  shift
  log=$work/$name.log
  : > "$log"
  on_machine "$name" "$run & pid=\$!
    until [ -e /stop ] || ! kill -0 \$pid 2>/dev/null; do sleep 0.2; done
    kill -INT \$pid 2>/dev/null; wait \$pid; echo \$? > /ended" > >(tee "$log" | sed -u 's/^/    /') 2>&1 &
  local machine=$!
  wait_until "$name" 900 "the server answers" said '^Sonoteca server on '
  url=$(sed -n 's/^Sonoteca server on //p' "$log")
  wait_until "$name" 120 "the curl lines are there" said 'curl -C - -o myfile.wav'
  wait_until "$name" 60 "$@"
  curl -fsS --noproxy '*' --max-time 10 "$url/healthz" >/dev/null || die "the server is not well"
  curl -fsS --noproxy '*' --max-time 10 "$url/list" | grep -q '\.wav"' || die "there are no samples in the library"
  touch "$work/$name/stop"
  wait "$machine" || true
  [ "$(cat "$work/$name/ended")" = 0 ] || die "Ctrl+C ended it with exit code $(cat "$work/$name/ended")"
  ! curl -s --noproxy '*' --max-time 5 "$url/healthz" >/dev/null || die "the server still answers after Ctrl+C"
  say "Ctrl+C stopped all of it"
}

python='export DEBIAN_FRONTEND=noninteractive; apt-get -qq update
  apt-get -qq -y --no-install-recommends install python3 && rm -rf /var/lib/apt/lists/*'
run=$(packaging/check/readme-command.sh 'python3 dev.py run')
test=$(packaging/check/readme-command.sh 'python3 dev.py test')
base=${1-}
if [ -z "$base" ]; then
  base=$work/base.tar
  packaging/check/base.sh "$base"
fi
say "a new Debian is made"

DISPLAY_THERE=
new_machine one
say "no administrator: it must say which line to run, and change nothing"
if on_machine one 'runuser -u nobody -- python3 -B dev.py test' > "$work/nobody.log" 2>&1 < /dev/null; then
  die "it passed, though nobody may install anything"
fi
grep -q 'sudo apt-get .*libxcb-cursor0' "$work/nobody.log" || { cat "$work/nobody.log"; die "it did not say the line"; }
say "$test, with the quick part of the tests"
on_machine one "$test tests/shared" < /dev/null || die "the tests failed"
say "$run, without a display"
run_there one "it says that only the server runs" said 'only the server runs'

new_machine two
mkfifo "$work/display"
Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp 3> "$work/display" >/dev/null 2>&1 &
read -r number < "$work/display"
DISPLAY_THERE=:$number
say "$run, with a display"
run_there two "the window is open" window_opened
say "both commands work on a bare machine"
