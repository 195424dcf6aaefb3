#!/bin/bash
# GPU tests, `cliper-gpu bench --device cuda` and PyTorch, all on one card in one go; the table goes to benchmarks/results/.
#   benchmarks/gpu.sh [--quick] [--only TEXT] [--precision fp16|bf16] [--part tests|ours|peer]    in a checkout; needs the .NET 10 SDK, and
#       torch >= 2.1 for the peer. --part does one of the three alone, where a call may not take long; the table has what is there
#   benchmarks/gpu.sh --pack DIR      makes DIR/gpu.tar.xz for a machine with a driver but no .NET: unpack it there and run ./gpu.sh
# PYTHON names the Python that has torch. With no usable card it says so and exits 4.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)

fail() { echo "gpu.sh: $1" >&2; exit "${2:-1}"; }

# The loader finds libcuda.so.1, or is told where a container's mount has it. Its folder comes before PyTorch's own libraries then, and so
# is named only where it has to be.
find_driver() {
    local folder
    ldconfig -p 2>/dev/null | grep -F 'libcuda.so.1 ' >/dev/null && return
    for folder in ${LD_LIBRARY_PATH//:/ } /usr/lib/x86_64-linux-gnu /usr/lib64; do
        [ ! -e "$folder/libcuda.so.1" ] || return 0
    done
    for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib; do
        [ -e "$folder/libcuda.so.1" ] || continue
        export LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
        return
    done
    fail "no usable CUDA device: this machine has no NVIDIA driver (libcuda.so.1 is not found)" 4
}

commit() {
    if [ -f "$here/commit" ]; then
        cat "$here/commit"
    else
        git -C "$here" describe --always --dirty 2>/dev/null || echo unknown
    fi
}

pack() {
    local root=$here/.. out runtime version file
    out=$(realpath -m "$1")
    source "$root/eng/dotnet.sh"
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    runtime=$(dirname "$(readlink -f "$(command -v dotnet)")")
    version=$(ls "$runtime/shared/Microsoft.NETCore.App" | sort -V | tail -1)
    mkdir -p "$out" "$stage/dotnet/shared/Microsoft.NETCore.App" "$stage/tests"
    cp "$runtime/dotnet" "$stage/dotnet/"
    cp -r "$runtime/host" "$stage/dotnet/"
    cp -r "$runtime/shared/Microsoft.NETCore.App/$version" "$stage/dotnet/shared/Microsoft.NETCore.App/"
    dotnet publish "$root/src/Cliper.Cli" -c Release -r linux-x64 --no-self-contained -o "$stage/apps/cliper-gpu" -v quiet --nologo
    # The tests as a program of their own; in a folder of their own, for a build that `dotnet test` cannot run.
    dotnet publish "$root/tests/Cliper.Gpu.Tests" -c Release -r linux-x64 --no-self-contained -o "$stage/apps/tests" -v quiet --nologo \
        -p:CliperTestsAsProgram=true --artifacts-path "$stage/artifacts"
    rm -rf "$stage/artifacts"
    # Without what only debuggers, editors and coverage take.
    find "$stage/apps" \( -name '*.pdb' -o -name '*.xml' -o -name '*.resources.dll' \) -delete
    rm -rf "$stage/apps/tests/Microsoft.CodeCoverage"
    (cd "$stage/dotnet/shared/Microsoft.NETCore.App/$version" && rm -f libmscordaccore.so libmscordbi.so libclrgc*.so createdump)
    # What both have is packed once.
    (cd "$stage/apps/tests" && find . -type f) | while read -r file; do
        cmp -s "$stage/apps/tests/$file" "$stage/apps/cliper-gpu/$file" && ln -f "$stage/apps/cliper-gpu/$file" "$stage/apps/tests/$file"
    done || true
    # The tests look for golden tensors beside the solution.
    cp "$root/Cliper.Gpu.sln" "$stage/"
    cp -r "$root/tests/golden" "$stage/tests/"
    cp "$here/gpu.sh" "$here/pytorch_peer.py" "$stage/"
    commit >"$stage/commit"
    # xz, not gzip: a fifth smaller, for machines that files reach only through a narrow gate.
    tar -C "$stage" -c . | xz -T0 -4 >"$out/gpu.tar.xz"
    du -h "$out/gpu.tar.xz" | awk '{print $2 ": " $1}'
}

quick=() only=() precision=fp16 part=all words="$*" LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}
while [ $# -gt 0 ]; do
    case "$1" in
        --quick) quick=(--quick) ;;
        --only) only=(--only "${2:?--only needs a text}"); shift ;;
        --precision) precision=${2:?--precision needs a format}; shift ;;
        --part) part=${2:?--part needs a name}; shift ;;
        --pack) pack "${2:?--pack needs a folder}"; exit ;;
        *) fail "unknown option $1; the options are --quick, --only TEXT, --precision FORMAT, --part NAME and --pack DIR" 2 ;;
    esac
    shift
done

case $precision in fp16 | bf16) ;; *) fail "--precision is '$precision'; there are fp16 and bf16" 2 ;; esac

case $part in all | tests | ours | peer) ;; *) fail "--part is '$part'; there are tests, ours and peer" 2 ;; esac

find_driver
card=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1 || true)

if [ -d "$here/apps" ]; then
    export DOTNET_ROOT=$here/dotnet DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
    results=$here/results
    cliper() { "$here/dotnet/dotnet" "$here/apps/cliper-gpu/cliper-gpu.dll" "$@"; }
    run_tests() { "$here/dotnet/dotnet" "$here/apps/tests/Cliper.Gpu.Tests.dll" --filter TestCategory=Cuda; }
else
    results=$here/results
    source "$here/../eng/dotnet.sh"
    cliper() { "$here/../cliper-gpu" "$@"; }
    run_tests() {
        dotnet build "$here/../tests/Cliper.Gpu.Tests" -c Release -v q --nologo >&2
        dotnet test "$here/../tests/Cliper.Gpu.Tests/bin/Release/net10.0/Cliper.Gpu.Tests.dll" --filter TestCategory=Cuda \
            -- RunConfiguration.TreatNoTestsAsError=true
    }
fi

does() { [ "$part" = all ] || [ "$part" = "$1" ]; }

name=$(echo "${card:-gpu}" | cut -d, -f1 | tr '[:upper:] ' '[:lower:]-')-$precision${only[1]:+-$(echo "${only[1]}" | tr -c '[:alnum:]\n' -)}
ours=$results/parts/$name-ours.json peer=$results/parts/$name-peer.json
mkdir -p "$results/parts"
failed=0
if does tests; then
    echo "== tests on ${card:-the card}" >&2
    CLIPER_TEST_DEVICE=cuda run_tests >&2 || failed=1
fi

if does ours; then
    echo "== cliper-gpu bench --device cuda --precision $precision" >&2
    code=0
    cliper bench --device cuda --precision "$precision" --json "${only[@]}" >"$ours.new" || code=$?
    [ "$code" = 0 ] || { rm -f "$ours.new"; exit "$code"; }
    mv "$ours.new" "$ours"
fi

# What a call that was cut off has timed of PyTorch is kept by the next one of this part alone.
[ "$part" != all ] || rm -f "$peer"
if does peer; then
    echo "== PyTorch" >&2
    "${PYTHON:-python3}" "$here/pytorch_peer.py" --run "$peer" --dtype "$precision" "${quick[@]}" "${only[@]}" ||
        echo "gpu.sh: no times of PyTorch, or not all" >&2
fi

if [ "$part" != tests ] && [ -f "$ours" ]; then
    table="$results/$(date -u +%F)-$name.csv"
    [ -f "$peer" ] || peer=
    "${PYTHON:-python3}" "$here/pytorch_peer.py" --join "$ours" ${peer:+"$peer"} --out "$table" --commit "$(commit)" \
        --driver "$card" --command "benchmarks/gpu.sh $words"
    echo "$table"
fi
[ "$failed" = 0 ] || fail "tests failed on the card: see above"
