#!/usr/bin/env bash
# Builds with warnings as errors, checks the formatting and runs the tests; exit code 0 only when all of it passed.
#   ./test.sh            everything; the kernel tests once more for each instruction set switched off
#   ./test.sh --golden   only the comparisons with reference tensors, every set in tests/golden and in $CLIPER_GOLDEN named
#   ./test.sh --quick    everything but the runs with instruction sets switched off
#   ./test.sh --long     only what takes too long for every change (category Long): the larger golden sets on the PTX
#                        interpreter, and benchmarks/gpu.sh rehearsed with the fake driver; about an hour on two cores
set -euo pipefail
# A folder that is named is the caller's, and the tests run elsewhere.
[ -z "${CLIPER_GOLDEN:-}" ] || export CLIPER_GOLDEN="$(realpath -m "$CLIPER_GOLDEN")"
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
source eng/dotnet.sh

mode=all
case "${1:-}" in
  "") ;;
  --golden) mode=golden ;;
  --quick) mode=quick ;;
  --long) mode=long ;;
  *) echo "test.sh: unknown option $1; the options are --golden, --quick and --long" >&2; exit 2 ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

step() { printf '\n== %s\n' "$*"; }

# Tests of one project; what it prints stays visible, its summary line is repeated at the end.
tests() {
  local project="$1"
  shift
  dotnet test "tests/$project/bin/Release/net10.0/$project.dll" "$@" 2>&1 | tee -a "$log" || failed=1
}

# The assembler that the GPU kernels are proven with. Where it cannot be fetched, those tests say that they were left out; in CI
# they fail.
if [ "$mode" != golden ] && [ -z "${CLIPER_PTXAS:-}" ]; then
  step "ptxas"
  eng/get-ptxas.sh .build/ptxas || echo "test.sh: no ptxas; the kernels are not assembled" >&2
  [ ! -x .build/ptxas/ptxas ] || export CLIPER_PTXAS="$PWD/.build/ptxas/ptxas"
fi

# Videos are decoded by ffmpeg. Where it is missing and cannot be installed, those tests say that they were left out; in CI they fail.
if [ "$mode" != golden ] && ! { command -v ffmpeg && command -v ffprobe; } >/dev/null; then
  step "ffmpeg"
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "test.sh: no ffmpeg, and this user cannot install it; the tests of videos need it (Debian, Ubuntu: apt-get install ffmpeg)" >&2
  else
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ffmpeg >/dev/null; } ||
      echo "test.sh: ffmpeg could not be installed; the tests of videos need it" >&2
  fi
fi

# Faces are found with OpenCV's cascades. Where they are missing and cannot be installed, the test against OpenCV says that it was left out.
if [ "$mode" != golden ] && [ ! -d /usr/share/opencv4/haarcascades ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  step "opencv-data"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends opencv-data >/dev/null; } ||
    echo "test.sh: opencv-data could not be installed; the test of the face detector against OpenCV needs it" >&2
fi

# The program for Windows and ARM64 runs under these. Where they are missing and cannot be installed, its tests say that they were left out.
if [ "$mode" = all ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  if [ ! -x /usr/bin/wine ] || [ ! -x /usr/bin/qemu-aarch64 ]; then
    step "wine, qemu-user"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wine wine64 qemu-user >/dev/null; } ||
      echo "test.sh: wine and qemu-user could not be installed; the tests of other systems need them" >&2
  fi
  eng/get-arm64.sh .build/arm64 || echo "test.sh: no libraries of arm64; the tests of ARM64 need them" >&2
fi

# Trainings on several ranks run under both launchers. Where they are missing and cannot be installed, their tests say that they were
# left out; in CI they fail.
if [ "$mode" != golden ] && ! { [ -x /usr/bin/mpirun.openmpi ] && [ -x /usr/bin/mpirun.mpich ]; } && [ "$(id -u)" = 0 ] &&
  command -v apt-get >/dev/null; then
  step "Open MPI, MPICH"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openmpi-bin libopenmpi3 mpich libmpich12 >/dev/null; } ||
    echo "test.sh: Open MPI and MPICH could not be installed; the tests of several ranks need them" >&2
fi

step "build"
dotnet build Cliper.Gpu.sln -c Release -v quiet --nologo -consoleLoggerParameters:NoSummary

if [ "$mode" = golden ]; then
  step "golden tensors: tests/golden${CLIPER_GOLDEN:+ and $CLIPER_GOLDEN}"
  tests Cliper.Model.Tests --filter TestCategory=Golden --logger "console;verbosity=normal" \
    -- RunConfiguration.TreatNoTestsAsError=true
elif [ "$mode" = long ]; then
  for project in Cliper.Gpu.Tests Cliper.Cli.Tests; do
    step "$project, category Long"
    tests "$project" --filter TestCategory=Long -- RunConfiguration.TreatNoTestsAsError=true
  done
else
  step "format"
  dotnet format Cliper.Gpu.sln --verify-no-changes --no-restore || failed=1

  if [ "$mode" = all ]; then
    for off in EnableAVX512 EnableAVX2 EnableHWIntrinsic; do
      step "kernels with DOTNET_$off=0"
      export "DOTNET_$off=0"
      tests Cliper.Kernels.Tests
      unset "DOTNET_$off"
    done
  fi

  for project in tests/*.Tests; do
    project=${project#tests/}
    step "$project"
    tests "$project"
  done
fi

step "summary"
grep -E '^ *(Passed|Failed|Skipped)! ' "$log" || true
grep -E '^Total tests|^ +(Passed|Failed|Skipped): [0-9]+' "$log" || true
[ "$failed" = 0 ] || { echo "FAILED: see above" >&2; exit 1; }
