#!/bin/bash
# Makes a new Debian 12 with Python and nothing else, with this machine's own network settings: base.sh OUT.tar
set -euo pipefail

settings=()
for file in /etc/resolv.conf /etc/pip.conf /etc/apt/apt.conf.d/99*; do
  [ -e "$file" ] && settings+=(--customize-hook="copy-in $file $(dirname "$file")")
done
sources=()
[ -e /etc/apt/sources.list.d/debian.sources ] && sources=(/etc/apt/sources.list.d/debian.sources)

# Manual pages and translations are left out: they take a third of the time and nobody looks at them here.
mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3 \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  "${settings[@]}" --customize-hook='cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"' \
  bookworm "$1" "${sources[@]}"
