#!/bin/bash
# Makes a new Debian 12 with nothing in it, as small as Docker's `debian:bookworm-slim` or smaller, with this machine's
# own network settings: base.sh OUT.tar
set -euo pipefail

settings=()
for file in /etc/resolv.conf /etc/pip.conf /etc/apt/apt.conf.d/99*; do
  [ -e "$file" ] && settings+=(--customize-hook="copy-in $file $(dirname "$file")")
done
sources=()
[ -e /etc/apt/sources.list.d/debian.sources ] && sources=(/etc/apt/sources.list.d/debian.sources)

# The certificates that this machine trusts wait for the package that reads them (ca-certificates).
# Manual pages and translations are left out: they take a third of the time and nobody looks at them here.
mmdebstrap --quiet --variant=minbase \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' "${settings[@]}" \
  --customize-hook='install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$1/usr/local/share/ca-certificates/machine.crt"' \
  bookworm "$1" "${sources[@]}"
