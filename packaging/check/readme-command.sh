#!/bin/bash
# Prints the line of README.md that starts with these words, from a block of shell commands, so that the checks run
# what README says and not what they think it says: readme-command.sh 'python3 dev.py test'
set -euo pipefail
cd "$(dirname "$0")/../.."
awk -v wanted="$1" '
  /^```/ { inside = ($0 == "```sh") }
  inside && index($0, wanted) == 1 { print; found = 1; exit }
  END { if (!found) { print "README.md has no ```sh block with: " wanted > "/dev/stderr"; exit 1 } }' README.md
