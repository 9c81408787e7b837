#!/bin/bash
# Prints the line of README.md, or of another page, that starts with these words, from a block of shell commands, so that
# the checks run what it says and not what they think it says: readme-command.sh 'python3 dev.py test' [PAGE]
set -euo pipefail
cd "$(dirname "$0")/../.."
page=${2-README.md}
awk -v wanted="$1" -v page="$page" '
  /^```/ { inside = ($0 == "```sh") }
  inside && index($0, wanted) == 1 { print; found = 1; exit }
  END { if (!found) { print page " has no ```sh block with: " wanted > "/dev/stderr"; exit 1 } }' "$page"
