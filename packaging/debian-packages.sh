#!/bin/sh
# Prints the names that Debian has for sections of system-packages.txt: debian-packages.sh SECTION…
set -eu
for section in "$@"; do
  awk -v heading="[$section]" '
    { sub(/#.*/, "") }
    $1 ~ /^\[/ { inside = ($1 == heading); found += inside; next }
    inside && NF > 1 && $2 != "-" { print $2 }
    END { if (!found) { print "no section " heading > "/dev/stderr"; exit 1 } }' "$(dirname "$0")/system-packages.txt"
done
