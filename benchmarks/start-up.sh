#!/bin/bash
# Median start-up times in milliseconds as CSV: `cliper-gpu --help`, and `cliper-gpu predict` on one picture when a
# checkpoint and a picture are given. Usage: benchmarks/start-up.sh [CHECKPOINT PICTURE]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
program="$here/src/Cliper.Cli/bin/Release/net10.0/cliper-gpu"
[ -x "$program" ] || dotnet build "$here/src/Cliper.Cli" -c Release -v q --nologo >&2

median() {
    local times=()
    "$@" > /dev/null
    for _ in 1 2 3 4 5 6 7 8 9; do
        local from=$EPOCHREALTIME
        "$@" > /dev/null
        local to=$EPOCHREALTIME
        times+=($(( (${to/./} - ${from/./}) )))
    done
    printf '%s\n' "${times[@]}" | sort -n | awk 'NR == 5 { printf "%.0f\n", $1 / 1000 }'
}

echo "command,median_ms"
echo "help,$(median "$program" --help)"
if [ $# -eq 2 ]; then
    echo "predict,$(median "$program" predict --checkpoint "$1" "$2")"
fi
