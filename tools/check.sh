#!/usr/bin/env bash
# What to run before a push: format, layers, debug with header checks and tests, asan, tsan, clang and
# clang-tidy on what changed. Stops at the first failure. `tools/check.sh asan tsan` runs only those.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

if [[ ${1-} == -h || ${1-} == --help ]]; then
  echo "usage: tools/check.sh [STEP...], of: format layers debug release asan tsan clang tidy"
  echo "Example: tools/check.sh asan"
  exit 0
fi
steps=("$@")
if ((${#steps[@]} == 0)); then
  steps=(format layers debug asan tsan clang tidy)
fi
for step in "${steps[@]}"; do
  case "$step" in
    format | layers | debug | release | asan | tsan | clang | tidy) ;;
    *) echo "tools/check.sh: no step '$step' (see --help)" >&2; exit 2 ;;
  esac
done

say() { printf '\n== %s\n' "$*"; }

build_and_test() {
  cmake --preset "$1" > /dev/null
  cmake --build --preset "$1" --parallel "$(nproc)" --target "${@:2}" all
  ctest --preset "$1" --parallel "$(nproc)"
}

tools/setup --tests --checks
for step in "${steps[@]}"; do
  say "$step"
  case "$step" in
    format) tools/format --check ;;
    layers) tools/check_layers ;;
    debug) build_and_test debug all_verify_interface_header_sets ;;
    release | asan | tsan | clang) build_and_test "$step" ;;
    tidy) tools/tidy --changed ;;
  esac
done
say "all is well"
