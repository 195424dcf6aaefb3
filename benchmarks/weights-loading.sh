#!/bin/bash
# From a file of ViT-B/16 weights to a model that is ready: milliseconds and peak memory of several forms as CSV, each load in a
# process of its own, the file in the page cache. Usage: benchmarks/weights-loading.sh [FOLDER]
# The files of random numbers (1.8 GB) are made in FOLDER, or in a temporary one that is removed afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project="$here/Cliper.WeightsBenchmark"
dotnet build "$project" -c Release -v q --nologo -consoleLoggerParameters:NoSummary >&2
program="$project/bin/Release/net10.0/Cliper.WeightsBenchmark"
if [ $# -eq 1 ]; then
    folder="$1"
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
"$program" make "$folder"
"$program" "$folder"
