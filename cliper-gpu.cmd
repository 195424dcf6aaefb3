@echo off
rem Builds the program when a source is newer than the last build, then runs it. "cliper-gpu --help" says what it does.
setlocal
set "root=%~dp0"
set "program=%root%.build\windows\cliper-gpu.exe"
powershell -NoProfile -Command "$stamp = Get-Item -ErrorAction Ignore ($env:root + '.build\windows.stamp'); if (!$stamp -or (Get-ChildItem -Recurse -File ($env:root + 'src'), ($env:root + '*.props'), ($env:root + 'global.json') | Where-Object { $_.FullName -notmatch '\\(bin|obj)\\' -and $_.LastWriteTime -gt $stamp.LastWriteTime })) { exit 1 }"
if errorlevel 1 call :build || exit /b 1
"%program%" %*
exit /b %errorlevel%

:build
where dotnet >nul 2>nul
if errorlevel 1 (
  echo cliper-gpu needs the .NET 10 SDK, and there is no dotnet here: winget install Microsoft.DotNet.SDK.10 1>&2
  exit /b 1
)
echo cliper-gpu: building (about a minute the first time) 1>&2
dotnet publish "%root%src\Cliper.Cli" -c Release -r win-x64 --self-contained false --artifacts-path "%root%.build\artifacts" -o "%root%.build\windows" -p:PublishReadyToRun=true -v quiet 1>&2
if errorlevel 1 exit /b 1
type nul > "%root%.build\windows.stamp"
exit /b 0
