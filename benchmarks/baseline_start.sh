#!/bin/sh
# The baseline of deploy_speed.py: start the six JVMs of a cluster that lies ready, and poll until the route is complete.
# usage: baseline_start.sh BASE PYTHON INVENTORY
set -eu
base=$1 python=$2 inventory=$3
for kind in namesrv broker; do
  for instance in "$base"/instances/"$kind"-*; do
    mkdir -p "$instance/logs"
    setsid nohup "$instance/current/bin/run.sh" > "$instance/logs/console.log" 2>&1 < /dev/null &
  done
done
exec "$python" "$(dirname "$0")/await_route.py" "$inventory"
