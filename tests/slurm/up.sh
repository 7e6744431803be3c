#!/usr/bin/env bash
# A real Slurm of N one-CPU nodes on this machine, from Debian's packages; needs root.
#
#   up.sh FOLDER [N]
#
# Prints the SLURM_CONF to export. Down: end the processes of FOLDER/*.pid, and munged where nobody else needs it.
set -euo pipefail
D=$(realpath -m "${1:?"up.sh FOLDER [N]"}")
N=${2:-4}
mkdir -p "$D/state" "$D/spool" /run/munge
if ! command -v slurmctld >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=120 -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq install -y slurm-wlm munge >/dev/null
fi
chown munge /run/munge /var/lib/munge /var/log/munge /etc/munge
munge -n >/dev/null 2>&1 || runuser -u munge -- munged
cat >"$D/slurm.conf" <<C
ClusterName=lab
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
StateSaveLocation=$D/state
SlurmdSpoolDir=$D/spool/%n
SlurmctldPidFile=$D/ctld.pid
SlurmdPidFile=$D/slurmd-%n.pid
SlurmctldLogFile=$D/ctld.log
SlurmdLogFile=$D/slurmd-%n.log
SlurmctldPort=26817
ReturnToService=2
NodeName=n[1-$N] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[27001-$((27000 + N))] CPUs=1 RealMemory=500 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
C
export SLURM_CONF=$D/slurm.conf
slurmctld
for i in $(seq "$N"); do slurmd -N "n$i"; done
for _ in $(seq 100); do
    if [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = "$N" ]; then
        echo "export SLURM_CONF=$D/slurm.conf"
        exit 0
    fi
    sleep .2
done
sinfo >&2
exit 1
