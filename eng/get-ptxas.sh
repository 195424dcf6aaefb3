#!/usr/bin/env bash
# Fetches NVIDIA's assembler ptxas and its disassembler nvdisasm into the folder $1, out of Debian's package nvidia-cuda-toolkit (component non-free; CUDA 11.8 on
# bookworm, 12.4 on trixie). Installs nothing and leaves apt's own sources alone: it uses the mirror that apt is set up with,
# through a private configuration. Prints the version; fails where there is no apt, mirror or package.
#   eng/get-ptxas.sh DIR [bookworm|trixie]
set -euo pipefail
dir=$(realpath -m "$1")
suite=${2:-trixie}
if [ -x "$dir/ptxas" ] && [ -x "$dir/nvdisasm" ]; then
  "$dir/ptxas" --version | tail -1
  exit
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$dir" "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/sources"
awk 'NF==0{exit} !/^#/' /etc/apt/sources.list.d/debian.sources |
  sed -e "s/^Suites:.*/Suites: $suite/" -e 's/^Components:.*/Components: non-free/' >"$tmp/sources/nonfree.sources"
options=(-oDir::Etc::SourceList=/dev/null "-oDir::Etc::SourceParts=$tmp/sources" "-oDir::State::Lists=$tmp/lists"
  "-oDir::Cache=$tmp/cache" -oAPT::Sandbox::User=root)
apt-get "${options[@]}" update -qq
(
  cd "$tmp"
  apt-get "${options[@]}" download -qq nvidia-cuda-toolkit
  dpkg-deb --fsys-tarfile nvidia-cuda-toolkit_*.deb | tar x ./usr/bin/ptxas ./usr/bin/nvdisasm
  mv usr/bin/ptxas usr/bin/nvdisasm "$dir/"
)
"$dir/ptxas" --version | tail -1
