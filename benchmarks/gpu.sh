#!/bin/bash
# Asks a GPU everything there is to ask, the most important first, within nine minutes: for a GPU that is at hand for minutes at a time.
#   benchmarks/gpu.sh [--continue DIR] [--only STEP[,STEP]] [--budget SECONDS]    in a checkout; needs the .NET 10 SDK
#   benchmarks/gpu.sh --pack DIR      makes DIR/gpu.tar.xz for a machine with a driver but no .NET: unpack it there and run ./gpu.sh
# Results go to the folder that OUT names, else to results/gpu beside this script, as they come. What is there of the same commit, or in the
# folder that --continue names, is not done again; --only does a step again in any case. PYTHON names the Python that has torch.
# Exit codes: 1 when a step failed or ran out of its time, 2 for wrong options, 4 with no usable card.
set -euo pipefail
export LC_ALL=C
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

# Two different states of a tree that is not committed must not pass for one.
commit() {
    local name
    if [ -f "$here/commit" ]; then
        cat "$here/commit"
        return
    fi
    name=$(git -C "$here" describe --always --dirty 2>/dev/null) || name=unknown
    case $name in *-dirty) name=$name.$(git -C "$here" diff HEAD | sha1sum | cut -c 1-8) ;; esac
    echo "$name"
}

pack() {
    local root=$here/.. out runtime version file
    out=$(realpath -m "$1")
    # shellcheck source=/dev/null
    source "$root/eng/dotnet.sh"
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    runtime=$(dirname "$(readlink -f "$(command -v dotnet)")")
    version=$(find "$runtime/shared/Microsoft.NETCore.App" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V | tail -1)
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
    # What both have is packed once. Two builds of one source differ in their ids, and the PTX below is of a build.
    (cd "$stage/apps/tests" && find . -type f) | while read -r file; do
        case $file in ./Cliper.*.dll) true ;; *) cmp -s "$stage/apps/tests/$file" "$stage/apps/cliper-gpu/$file" ;; esac &&
            ln -f "$stage/apps/cliper-gpu/$file" "$stage/apps/tests/$file" 2>/dev/null
    done || true
    # The tests look for golden tensors beside the solution.
    cp "$root/Cliper.Gpu.sln" "$stage/"
    cp -r "$root/tests/golden" "$stage/tests/"
    cp "$here/gpu.sh" "$here/pytorch_peer.py" "$stage/"
    cat >"$stage/cliper-gpu" <<'END'
#!/bin/bash
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
export DOTNET_ROOT=$here/dotnet DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
exec "$here/dotnet/dotnet" "$here/apps/cliper-gpu/cliper-gpu.dll" "$@"
END
    chmod +x "$stage/cliper-gpu"
    # Compiled here, by the runtime that goes along, for each process there would do it again.
    "$stage/cliper-gpu" kernels write "$stage/apps/cliper-gpu/ptx"
    ln -s ../cliper-gpu/ptx "$stage/apps/tests/ptx"
    commit >"$stage/commit"
    # xz, not gzip: a fifth smaller, for machines that files reach only through a narrow gate.
    tar -C "$stage" -c . | xz -T0 -4 >"$out/gpu.tar.xz"
    du -h "$out/gpu.tar.xz" | awk '{print $2 ": " $1}'
}

# The status of a step in a steps.jsonl: that of its last line.
status_in() { [ ! -f "$1" ] || sed -n 's/^{"step":"'"$2"'","status":"\([a-z]*\)".*/\1/p' "$1" | tail -1; }

# The commit that the results in a folder are of.
commit_of() { [ ! -f "$1/steps.jsonl" ] || sed -n 's/^{"commit":"\([^"]*\)".*/\1/p' "$1/steps.jsonl" | tail -1; }

# What an earlier call left is taken over where it was this program's; PyTorch's times do not depend on it.
take_over() {
    local from=$1 theirs
    theirs=$(commit_of "$from")
    [ -n "$theirs" ] || [ -f "$from/peer.jsonl" ] || fail "--continue: '$from' holds no results (no steps.jsonl)" 2
    if [ "$theirs" = "$commit" ]; then
        cp "$from"/{steps,rows,peer}.jsonl "$from"/{log.txt,tests.log,doctor.json,curve.csv,table.csv} "$results/" 2>/dev/null || true
    else
        echo "$from is of commit ${theirs:-unknown}, this is $commit: only PyTorch's times are taken over"
        cp "$from/peer.jsonl" "$results/" 2>/dev/null || true
    fi
}

# Whether a step is to be done in this pass. The first does what no earlier call came to the end of, the second what ran out of its
# time there, which may do so again.
due() {
    local name=$1
    if [ "$only" ]; then
        [ "$pass" = first ] && [[ ,$only, = *,$name,* ]]
        return
    fi
    case $(status_in "$work/earlier.jsonl" "$name") in
        "" | absent | cut) [ "$pass" = first ] ;;
        timeout) [ "$pass" = second ] ;;
        *) return 1 ;;
    esac
}

# step NAME LIMIT COMMAND...: runs the command, its output in a log, for LIMIT seconds at most, and writes down what became of it:
#   passed, failed; faulted: the GPU stopped; timeout; cut: the whole's time was over; absent: what it needs is not on this machine.
step() {
    local name=$1 limit=$(($2 * ${CLIPER_GPU_LIMITS:-100} / 100)) left=$((budget - SECONDS)) code=0 status=failed log=$results/log.txt began size seconds
    shift 2
    if [ "$pass" = list ]; then
        echo "$name"
        return
    fi
    due "$name" || return 0
    if [ "$left" -le 5 ]; then
        unstarted+=("$name")
        return
    fi
    case $name in tests* | sync | sanitizer) log=$results/tests.log ;; esac
    printf '\n== %s\n' "$name" >>"$log"
    size=$(stat -c %s "$log") began=$EPOCHREALTIME
    # The shell outlives the first signal, so that the second, which cannot be ignored, still meets the whole group.
    timeout -k 5 "$((limit < left ? limit : left))" bash -c 'trap : TERM; "$@"' step "$@" >>"$log" 2>&1 &
    job=$!
    # bash says it where a job was killed; so does the status.
    { wait "$job"; } 2>/dev/null || code=$?
    job=
    seconds=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $began }")
    if [ "$code" = 124 ] || { [ "$code" = 137 ] && awk "BEGIN { exit !($seconds >= $limit || $seconds >= $left) }"; }; then
        status=timeout
        [ "$limit" -lt "$left" ] || status="cut"
    elif tail -c "+$((size + 1))" "$log" | grep -q 'the GPU stopped'; then
        status=faulted
    else
        case $code in 0) status=passed ;; 77) status=absent ;; esac
        # Exit code 4 of a card that did not stop: it could not be opened.
        [ "$name $code" != "doctor 4" ] || status=absent
    fi
    # A step that does nothing but complain must not cost the others their log.
    if [ "$(stat -c %s "$log")" -gt $((size + LOG_OF_A_STEP)) ]; then
        truncate -s $((size + LOG_OF_A_STEP)) "$log"
        printf '\n(cut off here)\n' >>"$log"
    fi
    printf '{"step":"%s","status":"%s","exit":%d,"seconds":%s}\n' "$name" "$status" "$code" "$seconds" >>"$results/steps.jsonl"
    case $status in failed | faulted | timeout) failed+=("$name") ;; esac
    echo "$name: $status, $seconds s"
    [ "$name $code $status" != "doctor 4 absent" ] || fail "$(tail -1 "$log" | sed "s/^cliper-gpu: //")" 4
    case $name in bench* | peer*) table ;; esac
}

# --- What the steps run; each in a shell of its own, hence exported.

tool() { command -v "$1" || { [ -x "/usr/local/cuda/bin/$1" ] && echo "/usr/local/cuda/bin/$1"; } || { echo "no $1 here"; return 77; }; }

facts() {
    echo "commit $commit, $(date -u +%FT%TZ), $(uname -srm), $(nproc) cores"
    grep -m 1 'model name' /proc/cpuinfo || true
    free -m || true
    nvidia-smi || true
    nvidia-smi -q -d CLOCK,POWER,PERFORMANCE,ECC 2>/dev/null | head -150 || true
    for one in ptxas compute-sanitizer ncu; do tool "$one" || true; done
    "$python" -c 'import sys, torch; print("Python", sys.version, "PyTorch", torch.__version__, torch.version.cuda)' || true
}

doctor() {
    local code=0
    "$cliper" doctor --json --device cuda >"$work/doctor.json" || code=$?
    [ ! -s "$work/doctor.json" ] || cp "$work/doctor.json" "$results/doctor.json"
    return $code
}

# This machine's own assembler over every text that its card would be given.
assemble() {
    local code=0
    ptxas=$(tool ptxas) || { echo "$ptxas"; return 77; }
    capability=$(sed -n 's/.*"capability": *\([0-9]*\)\.\{0,1\}\([0-9]*\).*/\1\2/p' "$results/doctor.json" 2>/dev/null | head -1)
    [ "${#capability}" -ne 1 ] || capability=${capability}0
    capability=${capability:-90}
    export ptxas capability
    "$ptxas" --version | tail -2
    rm -rf "$work/ptxas"
    mkdir "$work/ptxas"
    texts=$here/apps/cliper-gpu/ptx
    [ -d "$texts" ] || { texts=$work/ptx && "$cliper" kernels write "$texts"; } || return
    # shellcheck disable=SC2016 # It is the inner shell that expands it.
    find "$texts" -name '*.ptx' -print0 | sort -z | xargs -0 -r -P "$(nproc)" -I{} bash -c 'assemble_one "$1"' one {} || code=1
    find "$work/ptxas" -type f -print0 | sort -z | xargs -0 -r cat
    assembled=$(find "$work/ptxas" -type f | wc -l)
    echo "$assembled of $(find "$texts" -name '*.ptx' | wc -l) texts are for sm_$capability; spills, and products that wait for each other:"
    ! find "$work/ptxas" -type f -print0 | xargs -0 -r grep -HE 'serializ|[1-9][0-9]* bytes spill' || code=1
    [ "$assembled" != 0 ] || code=1
    return $code
}

assemble_one() {
    local of
    of=$(sed -n 's/^\.target sm_\([0-9]*a\{0,1\}\).*/\1/p' "$1" | head -1)
    case $of in
        *a) [ "$of" = "${capability}a" ] || return 0 ;;
        *) [ "$of" -le "$capability" ] || return 0; of=$capability ;;
    esac
    { echo "-- $(basename "$1")"; "$ptxas" -v -arch "sm_$of" -o /dev/null "$1" 2>&1; } >"$work/ptxas/$(basename "$1")" || return 1
}

# Tests of category Cuda whose fixture a filter names, in a process of their own: after a fault a process cannot use the card any more.
fixture() {
    export CLIPER_TEST_DEVICE=cuda
    if [ -d "$here/apps" ]; then
        "${@:2}" "$here/dotnet/dotnet" "$here/apps/tests/Cliper.Gpu.Tests.dll" --filter "TestCategory=Cuda&($1)" --no-ansi --no-progress --output Detailed
    else
        "${@:2}" dotnet test "$here/../tests/Cliper.Gpu.Tests/bin/Release/net10.0/Cliper.Gpu.Tests.dll" --filter "TestCategory=Cuda&($1)" \
            --logger "console;verbosity=normal" -- RunConfiguration.TreatNoTestsAsError=true
    fi
}

filter() {
    local others
    case $1 in
        tests-matmul) echo 'FullyQualifiedName~MatMulTests' ;;
        tests-attention) echo 'FullyQualifiedName~AttentionTests' ;;
        tests-host) echo 'FullyQualifiedName~AgainstHostTests' ;;
        tests-model) echo 'FullyQualifiedName~WholeModelTests' ;;
        tests-optimizer) echo 'FullyQualifiedName~OptimizerTests' ;;
        tests-graphs) echo 'FullyQualifiedName~StepGraphTests' ;;
        tests-device) echo 'FullyQualifiedName~CudaDeviceTests' ;;
        # Whatever the steps above leave out.
        *) for others in matmul attention host model optimizer graphs device; do filter "tests-$others"; done | sed 's/~/!~/' | paste -sd '&' ;;
    esac
}

# The fixture to look at more closely: one that stopped the GPU, else one that ran out of time, else one that failed.
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

# The same tests, each launch waited for: an error is then that of the kernel it names.
waiting() {
    echo "$1 with CLIPER_CUDA_SYNC=1"
    CLIPER_CUDA_SYNC=1 fixture "$(filter "$1")"
}

sanitized() {
    local sanitizer
    sanitizer=$(tool compute-sanitizer) || { echo "$sanitizer"; return 77; }
    echo "$1 under $sanitizer"
    fixture "$(filter "$1")" "$sanitizer" --print-limit 20
}

bench() { "$cliper" bench --device cuda --precision "$1" --rows "$results/rows.jsonl" "${@:2}" >"$work/bench.txt"; }

peer() {
    local code=0
    "$python" "$here/pytorch_peer.py" --run "$results/peer.jsonl" "$@" || code=$?
    # No PyTorch, or none for this card.
    [ "$code" != 4 ] || code=77
    return $code
}

# The demo's recipe on the card, and beside it on the processor, which need not end.
training() {
    local code=0 cores
    cores=$(nproc)
    timeout --foreground -k 1 "$1" "$cliper" demo --device cpu --threads $((cores > 4 ? cores - 4 : cores)) --out "$work/demo-cpu" &
    "$cliper" demo --device cuda --out "$work/demo-cuda" || code=$?
    wait || true
    return $code
}

# --- What is made of the results.

table() {
    [ -s "$results/rows.jsonl" ] || return 0
    if "$python" "$here/pytorch_peer.py" --join "$results/rows.jsonl" --peer "$results/peer.jsonl" --out "$work/table.csv" \
        --commit "$commit" --driver "$card" --command "benchmarks/gpu.sh" >>"$results/log.txt" 2>&1; then
        cp "$work/table.csv" "$results/"
    else
        echo "gpu.sh: no table: see $results/log.txt" >&2
    fi
}

# Loss by step, on the card and on the processor; empty where that one did not come so far.
curve() {
    [ -f "$work/demo-cuda/metrics.csv" ] || return 0
    local cpu=$work/demo-cpu/metrics.csv
    [ -f "$cpu" ] || cpu=/dev/null
    awk -F, -v cpu="$cpu" 'BEGIN { print "stage,step,loss_on_card,loss_on_cpu"; while ((getline < cpu) > 0) if ($1 == "step") loss[$2 "," $3] = $5 }
        $1 == "step" { print $2 "," $3 "," $5 "," loss[$2 "," $3] }' "$work/demo-cuda/metrics.csv" >"$results/curve.csv"
}

ended() {
    trap '' TERM INT
    [ -z "$job" ] || kill "$job" 2>/dev/null || true
    table
    curve
    rm -rf "$work"
}

# The steps, the most important first. Limits are of a machine of 16 cores.
measure() {
    local first
    step facts 20 facts
    step doctor 60 doctor
    step ptxas 40 assemble
    for first in matmul attention host model optimizer graphs; do step "tests-$first" 60 fixture "$(filter "tests-$first")"; done
    first=$(suspect)
    [ -z "$first" ] || step sync 60 waiting "$first"
    step bench-matmul 45 bench fp16 --only matmul
    step bench-attention 30 bench fp16 --only attention
    step bench-norm 30 bench fp16 --only "layer norm"
    step bench-adamw 30 bench fp16 --only AdamW
    step bench-steps 45 bench fp16 --only "step ViT-B/16"
    step peer 60 peer --modes eager
    step training 60 training $((50 * ${CLIPER_GPU_LIMITS:-100} / 100))
    [ -z "$first" ] || step sanitizer 60 sanitized "$first"
    step tests-device 60 fixture "$(filter tests-device)"
    step tests-rest 60 fixture "$(filter tests-rest)"
    step bench 90 bench fp16
    # In a second call alone: the first must leave time for what its results ask for.
    if [ -s "$work/earlier.jsonl" ] || [ -n "$only" ] || [ "$pass" = list ]; then
        step peer-compiled 300 peer --modes compiled
        step bench-bf16 90 bench bf16
        step peer-bf16 60 peer --modes eager --dtype bf16
    fi
}

readonly LOG_OF_A_STEP=$((600 << 10))
only="" budget=540 earlier="" LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-} pass=list results=/nonexistent work=/nonexistent
while [ $# -gt 0 ]; do
    case "$1" in
        --continue) earlier=${2:?--continue needs a folder}; shift ;;
        --only) only=${2:?--only needs a step}; shift ;;
        --budget) budget=${2:?--budget needs seconds}; shift ;;
        --pack) pack "${2:?--pack needs a folder}"; exit ;;
        *) fail "unknown option $1; the options are --continue DIR, --only STEP, --budget SECONDS and --pack DIR" 2 ;;
    esac
    shift
done

[[ $budget =~ ^[0-9]+$ ]] || fail "--budget is '$budget', expected seconds" 2
for name in ${only//,/ }; do
    measure | grep -Fx -- "$name" >/dev/null || fail "--only names '$name'; the steps are $(measure | paste -sd ' ')" 2
done

find_driver
commit=$(commit) results=${OUT:-$here/results/gpu} python=${PYTHON:-python3} cliper=$here/cliper-gpu
card=$(timeout 10 nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1 || true)
if [ -d "$here/apps" ]; then
    export DOTNET_ROOT=$here/dotnet DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
else
    # Building is not of the time there is.
    # shellcheck source=/dev/null
    source "$here/../eng/dotnet.sh"
    cliper=$here/../cliper-gpu
    dotnet build "$here/../tests/Cliper.Gpu.Tests" -c Release -v q --nologo >&2
    "$cliper" --help >/dev/null
fi
# The driver keeps what it compiled for the next process.
[ -n "${HOME:-}" ] || export HOME=${TMPDIR:-/tmp}

mkdir -p "$results"
theirs=$(commit_of "$results")
[ -z "$theirs" ] || [ "$theirs" = "$commit" ] ||
    fail "'$results' holds results of commit $theirs, this is $commit: move them away, or name another folder by OUT" 2
if [ -n "$earlier" ]; then
    [ -z "$theirs" ] || fail "--continue: '$results' holds results already: name a folder without any by OUT" 2
    take_over "$earlier"
fi
work=$(mktemp -d) SECONDS=0 failed=() unstarted=() job=
[ ! -f "$results/steps.jsonl" ] || cp "$results/steps.jsonl" "$work/earlier.jsonl"
trap ended EXIT
trap 'exit 143' TERM INT
printf '{"commit":"%s","card":"%s","date":"%s"}\n' "$commit" "$card" "$(date -u +%FT%TZ)" >>"$results/steps.jsonl"
export here commit results python cliper work
export -f tool facts doctor assemble assemble_one fixture filter waiting sanitized bench peer training

for pass in first second; do measure; done
[ ${#unstarted[@]} = 0 ] || echo "out of time, not started: ${unstarted[*]}"
[ ${#failed[@]} = 0 ] || fail "failed: ${failed[*]}; see $results"
