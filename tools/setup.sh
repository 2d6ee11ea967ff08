#!/bin/sh
# Make the local environment with the pinned packages, or say in one line what is missing and how to install it.
# PYTHON may name the interpreter; else the environment keeps its own, and a new one gets the first that fits.
set -eu
venv="$1"
ready="$venv/.ready"
log="$venv/setup.log"

say() { printf 'mutua setup: %s\n' "$1"; }
fail() { say "$1" >&2; exit 1; }
install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$@" >"$log" 2>&1; }
is_fresh() {
  [ -f "$ready" ] && [ -z "$(find pyproject.toml constraints.txt tools/setup.sh tools/build_hook.py -newer "$ready")" ]
}

has=$("$venv/bin/python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || has=""
found="$has"
if [ -n "${PYTHON:-}" ] || [ -z "$has" ]; then
  found=$(sh tools/find_python.sh ${PYTHON:+"$PYTHON"}) || exit 1
fi
version="${found%% *}"
if [ "$has" = "$version" ] && is_fresh; then
  say "Python $version in $venv"
  exit 0
fi

say "installing the pinned packages for Python $version into $venv (about a minute the first time)"
if [ "$has" != "$version" ]; then
  rm -rf "$venv"
  "${found#* }" -m venv "$venv"
fi
rm -f "$ready"

# All other packages have wheels, or need no compiler.
for need in "plyvel: g++ libleveldb-dev" "fastecdsa: gcc libgmp-dev"; do
  pin=$(grep "^${need%%:*}==" constraints.txt)
  install --only-binary :all: "$pin" && continue
  say "$pin has no wheel for this Python on this machine; it is compiled"
  install "$pin" && continue
  grep -q "No matching distribution" "$log" && fail "$pin was not found: a package index must be within reach"
  fail "$pin could not be compiled ($log says why); on Debian: apt-get install${need#*:} python${version%.*}-dev"
done
install -r constraints.txt -e . || {
  cat "$log" >&2
  fail "the packages could not be installed; the lines above say which; a package index must be within reach"
}

# libp2p pulls in trio-typing, whose stale stubs hide trio's own types from the type checker.
rm -rf "$venv"/lib/python3.*/site-packages/trio-stubs
touch "$ready"
say "Python $version in $venv"
