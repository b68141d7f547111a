#!/usr/bin/env bash
# Check and measure lowparam on one GPU, in at most eight minutes, with nothing but Python, torch and this checkout:
#
#     benchmarks/gpu.sh [--out FILE] [--only checks speed processes]
#
# PYTHON names another python3. Without a GPU everything that can runs on the CPU, small.
set -euo pipefail
exec timeout --kill-after=5 475 "${PYTHON:-python3}" ${PYTHON_OPTIONS:-} "$(dirname "$0")/gpu" "$@"
