#!/usr/bin/env bash
# Puts Debian's arm64 libraries that a .NET program needs into a folder, for qemu-user; the system stays as it is.
#   eng/get-arm64.sh FOLDER
set -euo pipefail
folder=$(realpath -m "$1")
[ ! -e "$folder/lib/ld-linux-aarch64.so.1" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$folder"
cd "$work"
apt=(apt-get -qq -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Architecture=arm64
  -o APT::Architectures=arm64 -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download libc6 libgcc-s1 libstdc++6 libssl3
for package in *.deb; do dpkg -x "$package" "$folder"; done
