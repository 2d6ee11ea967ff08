#!/bin/sh
# Make the local environment, or say in one line what is missing and how to install it.
set -eu
venv="$1"
python="${PYTHON:-python3.11}"

fail() { printf 'mutua setup: %s\n' "$1" >&2; exit 1; }

"$python" -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 12) else 1)' 2>/dev/null ||
  fail "Python 3.11 is needed (tested upper bound: 3.11); on Debian: apt-get install python3.11 python3.11-venv, then: make PYTHON=python3.11 …"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "Python's venv module is missing; on Debian: apt-get install python3-venv"
cc="${CC:-cc}"
command -v "$cc" >/dev/null 2>&1 || fail "a C compiler is missing (fastecdsa compiles); on Debian: apt-get install gcc"
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
printf '#include <gmp.h>\nint main(void) { return 0; }\n' >"$probe/gmp.c"
"$cc" -fsyntax-only "$probe/gmp.c" 2>/dev/null || fail "the libgmp headers are missing (fastecdsa compiles); on Debian: apt-get install libgmp-dev"
"$python" - "$probe" <<'PY' >"$probe/include" || true
import sysconfig
print(sysconfig.get_paths()["include"])
PY
printf '#include <Python.h>\nint main(void) { return 0; }\n' >"$probe/py.c"
"$cc" -fsyntax-only -I"$(cat "$probe/include")" "$probe/py.c" 2>/dev/null ||
  fail "the Python headers are missing (fastecdsa compiles); on Debian: apt-get install python3-dev"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "mutua setup: installing pinned packages into $venv (about two minutes the first time)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,plots,dev]' 2>"$probe/log" || {
  cat "$probe/log" >&2
  fail "the packages could not be installed; the lines above say which; a package index must be reachable"
}

# libp2p pulls in trio-typing, whose stale stubs hide trio's own types from the type checker.
rm -rf "$venv"/lib/python3.11/site-packages/trio-stubs
