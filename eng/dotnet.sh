# Sourced by cliper-gpu and test.sh: puts the .NET SDK on the PATH, or says how to get it and ends with exit code 1.
if ! command -v dotnet >/dev/null; then
  for folder in "${DOTNET_ROOT:-}" "${HOME:-}/.dotnet" /usr/share/dotnet /usr/lib/dotnet; do
    if [ -n "$folder" ] && [ -x "$folder/dotnet" ]; then
      export DOTNET_ROOT="$folder" PATH="$folder:$PATH"
      break
    fi
  done
fi
if ! command -v dotnet >/dev/null; then
  cat >&2 <<'TEXT'
cliper-gpu needs the .NET 10 SDK, and there is no `dotnet` here. On Debian 12:
  wget https://packages.microsoft.com/config/debian/12/packages-microsoft-prod.deb
  sudo dpkg -i packages-microsoft-prod.deb && sudo apt-get update && sudo apt-get install -y dotnet-sdk-10.0
Elsewhere, or without root: https://dot.net/v1/dotnet-install.sh --channel 10.0 (found in ~/.dotnet without more ado).
TEXT
  exit 1
fi
# The SDK itself: no banner, no ICU needed, and a home even where there is none.
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
[ -w "${HOME:-/nonexistent}" ] || export DOTNET_CLI_HOME="${TMPDIR:-/tmp}"
