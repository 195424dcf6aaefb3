# shellcheck shell=bash
# shellcheck disable=SC2154 # gpu.sh sets the variables.
# gpu.sh reads this: it packs the program for a machine with a driver but no .NET.

# pack DIR: makes DIR/gpu.tar.xz of the runtime, the program, the GPU tests as a program, and the PTX of all kernels.
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
    dotnet publish "$root/src/Cliper.Cli" -c Release -r linux-x64 --no-self-contained -o "$stage/apps/cliper-gpu" \
        -v quiet --nologo
    # The tests as a program of their own; in a folder of their own, for a build that `dotnet test` cannot run.
    dotnet publish "$root/tests/Cliper.Gpu.Tests" -c Release -r linux-x64 --no-self-contained -o "$stage/apps/tests" \
        -v quiet --nologo -p:CliperTestsAsProgram=true --artifacts-path "$stage/artifacts"
    rm -rf "$stage/artifacts"
    # Without what only debuggers, editors and coverage take.
    find "$stage/apps" \( -name '*.pdb' -o -name '*.xml' -o -name '*.resources.dll' \) -delete
    rm -rf "$stage/apps/tests/Microsoft.CodeCoverage"
    (cd "$stage/dotnet/shared/Microsoft.NETCore.App/$version" &&
        rm -f libmscordaccore.so libmscordbi.so libclrgc*.so createdump)
    # What both have is packed once. Two builds of one source differ in their ids, and the PTX below is of a build.
    (cd "$stage/apps/tests" && find . -type f) | while read -r file; do
        if [[ $file = ./Cliper.*.dll ]] || cmp -s "$stage/apps/tests/$file" "$stage/apps/cliper-gpu/$file"; then
            ln -f "$stage/apps/cliper-gpu/$file" "$stage/apps/tests/$file" 2>/dev/null || true
        fi
    done
    # The tests look for golden tensors beside the solution.
    cp "$root/Cliper.Gpu.sln" "$stage/"
    cp -r "$root/tests/golden" "$stage/tests/"
    cp "$here"/gpu{,-pack,-steps}.sh "$here/pytorch_peer.py" "$stage/"
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
