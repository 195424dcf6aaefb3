#!/bin/bash
# What a second thread is worth while other programs use the cores: milliseconds of a ViT-B/32 forward and training step
# with one and two threads, beside 0, 1 and 2 programs that never sleep. Rounds are interleaved; medians as CSV, with
# the speed of two threads over one as the last column. Usage: benchmarks/busy-cores.sh [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
rounds=${1:-5}
program="$here/src/Cliper.Cli/bin/Release/net10.0/cliper-gpu"
dotnet build "$here/src/Cliper.Cli" -c Release -v q --nologo >&2
results=$(mktemp)
busy=()
stop() {
    [ ${#busy[@]} -eq 0 ] || kill "${busy[@]}" 2> /dev/null || true
    busy=()
}
trap 'stop; rm -f "$results"' EXIT

for ((round = 1; round <= rounds; round++)); do
    for programs in 0 1 2; do
        for ((i = 0; i < programs; i++)); do
            bash -c 'while :; do :; done' &
            busy+=($!)
        done
        for threads in 1 2; do
            echo "round $round of $rounds, $programs other programs, $threads threads" >&2
            "$program" bench --only "ViT-B/32" --threads $threads --json 2> /dev/null \
                | python3 -c '
import json, sys
for row in json.load(sys.stdin)["operations"]:
    if row["shape"] in ("batch 1", "batch 8") and not row["name"].startswith("stage 1"):
        print(sys.argv[1], sys.argv[2], row["name"] + " " + row["shape"], row["ms"], sep=",")
' $programs $threads >> "$results"
        done
        stop
    done
done
python3 - "$results" <<'PYTHON'
import csv, statistics, sys
times = {}
for programs, threads, row, ms in csv.reader(open(sys.argv[1])):
    times.setdefault((row, programs), {}).setdefault(threads, []).append(float(ms))
print("row,other_programs,one_thread_ms,two_threads_ms,speedup")
for (row, programs), each in sorted(times.items()):
    one, two = (statistics.median(each[threads]) for threads in "12")
    print(f"{row},{programs},{one:.1f},{two:.1f},{one / two:.2f}")
PYTHON
