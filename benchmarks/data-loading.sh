#!/bin/bash
# Pictures a second of one core, as CSV: decoded to 224 pixels beside SkiaSharp alone and Debian's python3-pil, and from the cache; then the
# share of time that a training run on the processor waits for data. Usage: benchmarks/data-loading.sh [FOLDER]
# Times are the processes' own processor time, so that other work on the machine counts little. The pictures are made in FOLDER, or in a
# temporary one that is removed afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project="$here/Cliper.DataBenchmark"
python=/usr/bin/python3
"$python" -c 'import PIL' 2>/dev/null || { echo "data-loading.sh: no Pillow: apt-get install python3-pil" >&2; exit 1; }
dotnet build "$project" -c Release -v q --nologo -consoleLoggerParameters:NoSummary >&2
program="$project/bin/Release/net10.0/Cliper.DataBenchmark"
if [ $# -eq 1 ]; then
    folder="$1"
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
"$program" make "$folder"
"$program" "$folder" "$python" "$here/data_loading_pillow.py"
# A step's row has the share over the last steps; the mean over all steps of the demo's two stages.
"$here/../cliper-gpu" demo --out "$folder/demo" >/dev/null 2>"$folder/demo.log" || { cat "$folder/demo.log" >&2; exit 1; }
"$python" - "$folder/demo/metrics.jsonl" <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
shares = [row["dataWait"] for row in rows if row["event"] == "epoch"]
print(f"# waiting for data in training (demo, mean of epochs): {100 * sum(shares) / len(shares):.2f} %")
PYTHON
