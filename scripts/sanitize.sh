#!/usr/bin/env bash
# All fast tests under the address and undefined sanitizers, and those with threads under the thread sanitizer: half an hour.
# What a change must pass (.ci/run) leaves out reports, published rows and the command line.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh

install_missing
for sanitizer in asan tsan; do
  cmake --preset "$sanitizer" >/dev/null
  cmake --build --preset "$sanitizer"
  ctest --preset "$sanitizer" -j "$(nproc)"
done
