#!/usr/bin/env bash
# Stage 2 of a shipped model on one rank with two threads, and on two ranks with one thread each, in turn.
#   benchmarks/ranks.sh [MODEL] [ROUNDS]    MODEL: drawn-faces (without it) or photographs; 5 rounds without a number
# Prints the medians of the images a second and the share of the time that the ranks' messages took.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
model=${1:-drawn-faces} rounds=${2:-5}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
./cliper-gpu --version >/dev/null
program=src/Cliper.Cli/bin/Release/net10.0/cliper-gpu
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=(train --recipe demo --init "$model" --pretrain-epochs 0 --stage1-epochs 0 --stage2-epochs 2 --set drawnPictures=1400
  --batch-size 64 --device cpu --overwrite)

# Mean images a second of the second epoch, as metrics.csv has it.
rate() { python3 - "$1" <<'P'
import json, sys
print([row["imagesPerSecond"] for row in map(json.loads, open(sys.argv[1] + "/metrics.jsonl")) if row["event"] == "epoch"][-1])
P
}
for round in $(seq "$rounds"); do
  "$program" "${work[@]}" --threads 2 --out "$out/one" >/dev/null 2>&1
  rate "$out/one" >>"$out/one.txt"
  mpirun.openmpi -n 2 "$program" "${work[@]}" --threads 1 --out "$out/two" >/dev/null 2>"$out/two.err"
  rate "$out/two" >>"$out/two.txt"
  grep -o '[0-9.]* % of its time' "$out/two.err" | tail -1 >>"$out/share.txt"
done
python3 - "$out" "$model" <<'P'
import statistics, sys
read = lambda name: [float(line.split()[0]) for line in open(f"{sys.argv[1]}/{name}.txt")]
one, two = statistics.median(read("one")), statistics.median(read("two"))
print(f"{sys.argv[2]}, stage 2: one rank of two threads {one:.0f} images/s, two ranks of one thread {two:.0f} ({two / one:.2f}x), "
      f"messages {statistics.median(read('share')):.1f} % of the time")
P
