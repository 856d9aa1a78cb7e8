# Runs the agent from the start of the machine on, also while nobody is logged in, and begins anew
# when it ends: a task of Windows' own Task Scheduler, which needs no other program.
#
#   1. As yourself:  pipx install .\clients\watcher
#   2. In a PowerShell of an administrator:
#      .\windows.ps1 -Url https://photos.example.com -Key fmk_...
#   3. Drives that you connected yourself (Z:) are not there for it: name shares as \\nas\photos.
#
# Get-ScheduledTaskInfo findme-watch shows how it is; Unregister-ScheduledTask findme-watch ends it.

param(
    [Parameter(Mandatory = $true)] [string] $Url,
    [Parameter(Mandatory = $true)] [string] $Key,
    [string] $Arguments = "--agent"
)
$ErrorActionPreference = "Stop"

$program = (Get-Command findme-watch).Source
$folder = Join-Path $env:LOCALAPPDATA "findme-watch"
New-Item -ItemType Directory -Force $folder | Out-Null
$keyFile = Join-Path $folder "key.txt"
Set-Content -Path $keyFile -Value $Key -NoNewline
# Nobody but this user, and the system that runs the task as them, reads the key.
icacls $keyFile /inheritance:r /grant:r "${env:USERNAME}:(R,W,D)" | Out-Null

$action = New-ScheduledTaskAction -Execute $program `
    -Argument "$Arguments --url $Url --key-file `"$keyFile`""
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries `
    -ExecutionTimeLimit ([TimeSpan]::Zero) -RestartCount 999 `
    -RestartInterval (New-TimeSpan -Minutes 1) -StartWhenAvailable
$principal = New-ScheduledTaskPrincipal -UserId $env:USERNAME -LogonType S4U
Register-ScheduledTask -TaskName findme-watch -Action $action -Settings $settings `
    -Principal $principal -Trigger (New-ScheduledTaskTrigger -AtStartup) -Force | Out-Null
Start-ScheduledTask findme-watch
