#!/bin/bash
# Runs the GPU tests and benchmarks, the most important first, within nine minutes: for a GPU that is at hand for
# minutes at a time.
#   benchmarks/gpu.sh [--continue DIR] [--only STEP[,STEP]] [--budget SECONDS]    in a checkout; needs the .NET 10 SDK
#   benchmarks/gpu.sh --pack DIR    makes DIR/gpu.tar.xz for a machine with a driver but no .NET: unpack it there and
#       run ./gpu.sh
# Results go to the folder that OUT names, else to results/gpu beside this script, as they come. A step that is there,
# or in the folder that --continue names, is not done again; --only does a step again in any case. PYTHON names the
# Python that has torch. Exit codes: 1 when a step failed or ran out of its time, 2 for wrong options, 4 when there is
# no usable GPU.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)

fail() { echo "gpu.sh: $1" >&2; exit "${2:-1}"; }

# shellcheck source=gpu-pack.sh
source "$here/gpu-pack.sh"
# shellcheck source=gpu-steps.sh
source "$here/gpu-steps.sh"

# The loader finds libcuda.so.1, or is told where a container's mount has it. Its folder comes before PyTorch's own
# libraries then, and so is named only where it has to be.
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

# Names the commit. Two different states of a tree that is not committed must not pass for one.
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

# Prints the status of a step in a steps.jsonl, which is that of its last line.
status_in() { [ ! -f "$1" ] || sed -n 's/^{"step":"'"$2"'","status":"\([a-z]*\)".*/\1/p' "$1" | tail -1; }

# Prints the commit that the results in a folder are of.
commit_of() { [ ! -f "$1/steps.jsonl" ] || sed -n 's/^{"commit":"\([^"]*\)".*/\1/p' "$1/steps.jsonl" | tail -1; }

# Takes over what an earlier call of this commit left; PyTorch's times do not depend on the commit.
take_over() {
    local from=$1 theirs
    theirs=$(commit_of "$from")
    [ -n "$theirs" ] || [ -f "$from/peer.jsonl" ] || fail "--continue: '$from' holds no results (no steps.jsonl)" 2
    if [ "$theirs" = "$commit" ]; then
        cp "$from"/{steps,rows,peer}.jsonl "$from"/{log.txt,tests.log,doctor.json,curve.csv,table.csv} "$results/" \
            2>/dev/null || true
    else
        echo "$from is of commit ${theirs:-unknown}, this is $commit: only PyTorch's times are taken over"
        cp "$from/peer.jsonl" "$results/" 2>/dev/null || true
    fi
}

# Says whether a step is to be done in this pass. The first pass does what no earlier call came to the end of, the
# second what ran out of its time there, which may do so again.
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

# step NAME LIMIT COMMAND...: runs the command, its output in a log, for LIMIT seconds at most, and writes how it
# ended to steps.jsonl: passed, failed, faulted (the GPU stopped), timeout, cut (the budget was used up) or absent (this
# machine lacks what the step needs). CLIPER_GPU_LIMITS scales all limits, in percent.
step() {
    local name=$1 limit=$(($2 * ${CLIPER_GPU_LIMITS:-100} / 100)) left=$((budget - SECONDS))
    local code=0 status=failed log=$results/log.txt began size seconds
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
    # The shell outlives the first signal, so that the second, which cannot be ignored, still reaches the whole group.
    timeout -k 5 "$((limit < left ? limit : left))" bash -c 'trap : TERM; "$@"' step "$@" >>"$log" 2>&1 &
    job=$!
    # Where the job was killed bash would print that, which the status says already.
    { wait "$job"; } 2>/dev/null || code=$?
    job=
    seconds=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $began }")
    # 137 before the time is over is somebody else's doing.
    if [ "$code" = 124 ] || { [ "$code" = 137 ] && [ "${seconds%.*}" -ge "$((limit < left ? limit : left))" ]; }; then
        status=timeout
        [ "$limit" -lt "$left" ] || status="cut"
    # Read to its end: where grep stops early, the pipe's other side fails.
    elif tail -c "+$((size + 1))" "$log" | grep 'the GPU stopped' >/dev/null; then
        status=faulted
    else
        case $code in 0) status=passed ;; 77) status=absent ;; esac
        # With exit code 4 and without having stopped, the GPU could not be opened.
        [ "$name $code" != "doctor 4" ] || status=absent
    fi
    # A step that does nothing but complain must not cost the others their log.
    if [ "$(stat -c %s "$log")" -gt $((size + LOG_OF_A_STEP)) ]; then
        truncate -s $((size + LOG_OF_A_STEP)) "$log"
        printf '\n(cut off here)\n' >>"$log"
    fi
    printf '{"step":"%s","status":"%s","exit":%d,"seconds":%s}\n' \
        "$name" "$status" "$code" "$seconds" >>"$results/steps.jsonl"
    case $status in failed | faulted | timeout) failed+=("$name") ;; esac
    echo "$name: $status, $seconds s"
    [ "$name $code $status" != "doctor 4 absent" ] || fail "$(tail -1 "$log" | sed "s/^cliper-gpu: //")" 4
    case $name in bench* | peer*) table ;; esac
}

# Joins the rows that there are into table.csv.
table() {
    [ -s "$results/rows.jsonl" ] || return 0
    if "$python" "$here/pytorch_peer.py" --join "$results/rows.jsonl" --peer "$results/peer.jsonl" \
        --out "$work/table.csv" --commit "$commit" --driver "$card" --command "benchmarks/gpu.sh" \
        >>"$results/log.txt" 2>&1; then
        cp "$work/table.csv" "$results/"
    else
        echo "gpu.sh: no table: see $results/log.txt" >&2
    fi
}

# Writes curve.csv: the loss of each step on the GPU and on the CPU, empty where the CPU did not come so far.
curve() {
    [ -f "$work/demo-cuda/metrics.csv" ] || return 0
    local cpu=$work/demo-cpu/metrics.csv
    [ -f "$cpu" ] || cpu=/dev/null
    awk -F, -v cpu="$cpu" '
        BEGIN {
            print "stage,step,loss_gpu,loss_cpu"
            while ((getline < cpu) > 0)
                if ($1 == "step")
                    loss[$2 "," $3] = $5
        }
        $1 == "step" { print $2 "," $3 "," $5 "," loss[$2 "," $3] }' "$work/demo-cuda/metrics.csv" >"$results/curve.csv"
}

# Runs when the script ends, be it by a signal: the step in progress ends too, and what there is is joined.
ended() {
    trap '' TERM INT
    [ -z "$job" ] || kill "$job" 2>/dev/null || true
    table
    curve
    rm -rf "$work"
}

# Goes through the steps, the most important first. The limits are for a machine of 16 cores.
measure() {
    local first
    step facts 20 facts
    step doctor 60 doctor
    step ptxas 40 assemble
    for first in matmul attention host model optimizer graphs; do
        step "tests-$first" 60 fixture "$(filter "tests-$first")"
    done
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
