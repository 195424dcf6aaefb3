#!/bin/bash
# The server under load; see benchmarks/README.md. Usage:
# benchmarks/server.sh start|batches|waits|latency|throughput|load [SECONDS] [CLIENTS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
"$here/../cliper-gpu" --version >&2
dotnet build "$here/Cliper.ServerBenchmark" -c Release -v q --nologo >&2
exec "$here/Cliper.ServerBenchmark/bin/Release/net10.0/Cliper.ServerBenchmark" \
    "$here/../cliper-gpu" "$here/../docs/images/happy-baby.jpg" "$@"
