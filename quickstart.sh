#!/usr/bin/env bash
# Installs what is missing, builds, and answers one question from end to end: which strategy for Llama-3.1-8B at
# 128k tokens on 8 A100s, is that what happens when it runs, and what does it look like.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/setup.sh

say() { printf '\n== %s\n' "$*"; }

install_missing
say "Building"
build_release --target ithaca

ithaca=build/release/ithaca
out=ithaca-report
mkdir -p "$out"

say "Planning: Llama-3.1-8B, 128k tokens, 8 A100"
$ithaca plan --model llama-3.1-8b --cluster dgx-a100-80g --gpus 8 --seq 128k -o "$out/plan.yaml"

say "Running its scaled twin on 8 thread ranks"
$ithaca run "$out/plan.yaml" --scale 16 --seq 512 --dtype f64 -o "$out/run-twin.json" | tail -n 3

say "Running one layer of the real width on 8 thread ranks"
$ithaca run "$out/plan.yaml" --seq 128 --dtype f32 -o "$out/run-full-width.json" | tail -n 3

say "Reporting: predicted beside measured"
$ithaca report "$out/plan.yaml" "$out/run-twin.json" "$out/run-full-width.json" -o "$out"
