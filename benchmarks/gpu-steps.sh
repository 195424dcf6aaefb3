# shellcheck shell=bash
# shellcheck disable=SC2154 # gpu.sh sets the variables.
# gpu.sh reads this: the commands of its steps. Each runs in a shell of its own, so that a step can be killed with all
# that it started. Status 77 says that this machine lacks what the step needs.

# Prints the path of a tool of the CUDA toolkit.
tool() {
    command -v "$1" && return
    [ ! -x "/usr/local/cuda/bin/$1" ] || { echo "/usr/local/cuda/bin/$1"; return; }
    echo "no $1 here"
    return 77
}

# Prints what this machine is.
facts() {
    echo "commit $commit, $(date -u +%FT%TZ), $(uname -srm), $(nproc) cores"
    grep -m 1 'model name' /proc/cpuinfo || true
    free -m || true
    nvidia-smi || true
    nvidia-smi -q -d CLOCK,POWER,PERFORMANCE,ECC 2>/dev/null | head -150 || true
    for one in ptxas compute-sanitizer ncu; do tool "$one" || true; done
    "$python" -c 'import sys, torch; print("Python", sys.version, "PyTorch", torch.__version__, torch.version.cuda)' ||
        true
}

# Compares all operations on the GPU with loops in fp64.
doctor() {
    local code=0
    "$cliper" doctor --json --device cuda >"$work/doctor.json" || code=$?
    [ ! -s "$work/doctor.json" ] || cp "$work/doctor.json" "$results/doctor.json"
    return $code
}

# Assembles the PTX of every kernel that runs on this GPU with this machine's own ptxas, and looks for spills and for
# wgmma that it serializes.
assemble() {
    local code=0
    ptxas=$(tool ptxas) || { echo "$ptxas"; return 77; }
    capability=$(sed -n 's/.*"capability": *\([0-9]*\)\.\{0,1\}\([0-9]*\).*/\1\2/p' "$results/doctor.json" \
        2>/dev/null | head -1)
    [ "${#capability}" -ne 1 ] || capability=${capability}0
    capability=${capability:-90}
    export ptxas capability
    "$ptxas" --version | tail -2
    rm -rf "$work/ptxas"
    mkdir "$work/ptxas"
    texts=$here/apps/cliper-gpu/ptx
    [ -d "$texts" ] || { texts=$work/ptx && "$cliper" kernels write "$texts"; } || return
    # shellcheck disable=SC2016 # It is the inner shell that expands it.
    find "$texts" -name '*.ptx' -print0 | sort -z |
        xargs -0 -r -P "$(nproc)" -I{} bash -c 'assemble_one "$1"' one {} || code=1
    assembled=$(find "$work/ptxas" -type f | wc -l)
    echo "$assembled of $(find "$texts" -name '*.ptx' | wc -l) kernels run on sm_$capability; spills, serialized wgmma:"
    ! find "$work/ptxas" -type f -print0 | xargs -0 -r grep -HE 'serializ|[1-9][0-9]* bytes spill' || code=1
    [ "$assembled" != 0 ] || code=1
    return $code
}

# Assembles one file; what ptxas prints goes to a file of its own first, as several run at once.
assemble_one() {
    local of
    of=$(sed -n 's/^\.target sm_\([0-9]*a\{0,1\}\).*/\1/p' "$1" | head -1)
    case $of in
        *a) [ "$of" = "${capability}a" ] || return 0 ;;
        *) [ "$of" -le "$capability" ] || return 0; of=$capability ;;
    esac
    local code=0 said
    said=$work/ptxas/$(basename "$1")
    "$ptxas" -v -arch "sm_$of" -o /dev/null "$1" >"$said" 2>&1 || code=1
    echo "-- $(basename "$1")"$'\n'"$(cat "$said")"
    return $code
}

# fixture FILTER [WRAPPER...]: runs the GPU tests that match in a process of their own, for after a fault a process
# cannot use the GPU any more.
fixture() {
    export CLIPER_TEST_DEVICE=cuda
    if [ -d "$here/apps" ]; then
        "${@:2}" "$here/dotnet/dotnet" "$here/apps/tests/Cliper.Gpu.Tests.dll" --filter "TestCategory=Cuda&($1)" \
            --no-ansi --no-progress --output Detailed
    else
        "${@:2}" dotnet test "$here/../tests/Cliper.Gpu.Tests/bin/Release/net10.0/Cliper.Gpu.Tests.dll" \
            --filter "TestCategory=Cuda&($1)" --logger "console;verbosity=normal" \
            -- RunConfiguration.TreatNoTestsAsError=true
    fi
}

# Prints the filter of a step's tests.
filter() {
    local others
    case $1 in
        tests-matmul) echo 'FullyQualifiedName~GemmTests' ;;
        tests-attention) echo 'FullyQualifiedName~AttentionTests' ;;
        tests-host) echo 'FullyQualifiedName~AgainstReferenceTests' ;;
        tests-model) echo 'FullyQualifiedName~WholeModelTests' ;;
        tests-optimizer) echo 'FullyQualifiedName~OptimizerTests' ;;
        tests-graphs) echo 'FullyQualifiedName~StepGraphTests' ;;
        tests-device) echo 'FullyQualifiedName~CudaDeviceTests' ;;
        # Whatever the steps above leave out.
        *)
            for others in matmul attention host model optimizer graphs device; do
                filter "tests-$others"
            done | sed 's/~/!~/' | paste -sd '&'
            ;;
    esac
}

# Prints the tests to look at more closely: those that stopped the GPU, else that ran out of time, else that failed.
suspect() {
    local status name
    if [ "$pass" = list ]; then
        echo any
        return
    fi
    for status in faulted timeout failed; do
        for name in matmul attention host model optimizer graphs device rest; do
            [ "$(status_in "$results/steps.jsonl" "tests-$name")" != "$status" ] || { echo "tests-$name"; return; }
        done
    done
}

# Runs tests again with each launch waited for: an error is then that of the kernel it names.
waiting() {
    echo "$1 with CLIPER_CUDA_SYNC=1"
    CLIPER_CUDA_SYNC=1 fixture "$(filter "$1")"
}

# Runs tests again under compute-sanitizer.
sanitized() {
    local sanitizer
    sanitizer=$(tool compute-sanitizer) || { echo "$sanitizer"; return 77; }
    echo "$1 under $sanitizer"
    fixture "$(filter "$1")" "$sanitizer" --print-limit 20
}

# Measures what rows.jsonl lacks.
bench() { "$cliper" bench --device cuda --precision "$1" --rows "$results/rows.jsonl" "${@:2}" >"$work/bench.txt"; }

# Times PyTorch where peer.jsonl lacks it.
peer() {
    local code=0
    "$python" "$here/pytorch_peer.py" --run "$results/peer.jsonl" "$@" || code=$?
    # There is no PyTorch, or none for this GPU.
    [ "$code" != 4 ] || code=77
    return $code
}

# training SECONDS: trains by the demo's recipe on the GPU, and beside it on the CPU, which need not end in that time.
training() {
    local code=0 cores beside
    cores=$(nproc)
    timeout --foreground -k 1 "$1" "$cliper" demo --device cpu --threads $((cores > 4 ? cores - 4 : cores)) \
        --out "$work/demo-cpu" &
    beside=$!
    "$cliper" demo --device cuda --out "$work/demo-cuda" || code=$?
    # Alone the CPU's curve says nothing.
    [ "$code" = 0 ] || kill "$beside" || true
    wait || true
    return $code
}

