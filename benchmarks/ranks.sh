#!/usr/bin/env bash
# Stage 2 of a shipped model on one rank with one and two threads, and on two ranks with one thread each, in turn.
#   benchmarks/ranks.sh [MODEL] [ROUNDS]    MODEL: drawn-faces (without it) or photographs; 5 rounds without a number
# Prints the medians of the images a second, the share of the time that the ranks' messages took, and what
# benchmarks/scaling.py predicts of two ranks from the rate of one thread.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
model=${1:-drawn-faces} rounds=${2:-5} batch=64
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
./cliper-gpu --version >/dev/null
program=src/Cliper.Cli/bin/Release/net10.0/cliper-gpu
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=(train --recipe demo --init "$model" --pretrain-epochs 0 --stage1-epochs 0 --stage2-epochs 2 --set drawnPictures=1400
  --batch-size "$batch" --device cpu --overwrite)

# Images a second of the last epoch.
rate() {
  python3 -c 'import json, sys
print([row["imagesPerSecond"] for row in map(json.loads, open(sys.argv[1])) if row["event"] == "epoch"][-1])' "$1/metrics.jsonl"
}

for round in $(seq "$rounds"); do
  for threads in 1 2; do
    "$program" "${work[@]}" --threads "$threads" --out "$out/one" >/dev/null 2>&1
    rate "$out/one" >>"$out/threads$threads.txt"
  done
  mpirun.openmpi -n 2 "$program" "${work[@]}" --threads 1 --out "$out/two" >/dev/null 2>"$out/two.err"
  rate "$out/two" >>"$out/ranks.txt"
  grep -o 'exchanged .* of its time' "$out/two.err" | tail -1 >>"$out/costs.txt"
done
python3 - "$out" "$model" "$batch" <<'P'
import re, statistics, sys
sys.path.insert(0, "benchmarks")
import scaling

out, model, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
read = lambda name: statistics.median(float(line) for line in open(f"{out}/{name}.txt"))
costs = [tuple(map(float, re.findall(r"[\d.]+", line))) for line in open(f"{out}/costs.txt")]
megabytes, calls, share = (statistics.median(values) for values in zip(*costs))
one, two, ranks = read("threads1"), read("threads2"), read("ranks")
steps = 2 * (1260 // batch)
print(f"{model}, stage 2, batch {batch}, images/s: one thread {one:.0f}, two threads {two:.0f}, two ranks {ranks:.0f} "
      f"({ranks / two:.2f}x two threads)")
print(f"messages: {megabytes:.1f} MB a rank in {calls:.0f} calls, {share:.1f} % of the time, waiting included")
print(f"predicted of two ranks at 5 GB/s: {scaling.check(one, batch, megabytes / steps, 5):.0f} images/s")
P
