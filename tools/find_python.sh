#!/bin/sh
# Print version and path of the first Python that fits, or say in one line what to install.
# Names or paths may be given. Each candidate is run: the first of a name may be a shim that fails, and a later one fit.
set -eu
probe='
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(1)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(5)
print("%d.%d.%d" % sys.version_info[:3], sys._base_executable)
'
lacks_venv=""
[ $# -gt 0 ] || set -- python3.11 python3.12 python3.13 python3 python

try() { # $1: a path
  [ -f "$1" ] && [ -x "$1" ] || return 0
  found=$("$1" -c "$probe" 2>/dev/null) && { printf '%s\n' "$found"; exit 0; }
  [ $? -ne 5 ] || lacks_venv="$1"
}

for name in "$@"; do
  case "$name" in */*) try "$name"; continue ;; esac
  rest="$PATH:"
  while [ -n "$rest" ]; do
    try "${rest%%:*}/$name"
    rest="${rest#*:}"
  done
done
{
  printf 'mutua setup: '
  if [ -n "$lacks_venv" ]; then
    echo "$lacks_venv has no venv module; on Debian: apt-get install python3-venv"
  else
    echo "Python 3.11, 3.12 or 3.13 is needed, and $* gave none; on Debian: apt-get install python3 python3-venv"
  fi
} >&2
exit 1
