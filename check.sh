#!/usr/bin/env bash
# Installs what is missing, builds, runs all tests.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/setup.sh

install_missing
build_release
ctest --preset release -j "$(nproc)"
if command -v clang-format >/dev/null; then
  git ls-files '*.h' '*.cpp' | xargs clang-format --dry-run --Werror
  echo "Format: clean."
fi
