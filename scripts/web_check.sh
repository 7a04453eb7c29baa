#!/usr/bin/env bash
# The dashboard: style, types, tests, and that the build inside the package is what web/ builds today.
# Without Node 20 or newer only the last is checked, by the sums the build left behind (tests/unit/edge/test_web_build.py).
set -euo pipefail
cd "$(dirname "$0")/.."

SHIPPED=src/quotewire/edge/web
STAMP=web/node_modules/.installed

# Node 20.19 is the first 20 that the build tools accept.
has_node() {
  command -v node >/dev/null && command -v npm >/dev/null &&
    node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

if ! has_node; then
  found=$(node --version 2>/dev/null || echo none)
  echo "web-check: NOT RUN: the dashboard's style, types and tests need Node 20.19 or newer and npm (found: $found)." >&2
  echo "web-check: checking only that the shipped build belongs to the sources." >&2
  exec .venv/bin/python -m pytest -q tests/unit/edge/test_web_build.py
fi

lock=$(node -p 'require("crypto").createHash("sha256").update(require("fs").readFileSync("web/package-lock.json")).digest("hex")')
wanted="$lock $(node -p 'process.version + process.platform + process.arch')"
if [ ! -f "$STAMP" ] || [ "$(cat "$STAMP")" != "$wanted" ]; then
  echo "web-check: installing the dashboard's build tools ..."
  (cd web && npm ci --no-fund --no-audit --loglevel=error)
  echo "$wanted" >"$STAMP"
fi

cd web
npx --no-install prettier --check --log-level warn .
npx --no-install tsc --noEmit
npx --no-install vitest run

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
npx --no-install vite build --logLevel error --mode shipped --emptyOutDir --outDir "$fresh"
if ! diff -r "$fresh" "../$SHIPPED"; then
  echo "web-check: the dashboard in $SHIPPED is not what web/ builds today: run \`make web\` and commit the result." >&2
  exit 1
fi
