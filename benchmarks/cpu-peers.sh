#!/bin/bash
# Builds and runs the side-by-side CPU benchmarks; see benchmarks/README.md. Results go to standard output, all else to
# standard error. Options: --quick, --json, --out FILE, --filter PREFIX (repeatable).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
command -v dotnet >/dev/null || { echo "needs the .NET 10 SDK: https://dotnet.microsoft.com/download" >&2; exit 1; }
dotnet build "$here/Cliper.Benchmarks/Cliper.Benchmarks.csproj" -c Release -v q --nologo >&2
exec "$here/Cliper.Benchmarks/bin/Release/net10.0/linux-x64/Cliper.Benchmarks" "$@"
