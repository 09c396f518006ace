"""What a machine is asked for facts: the shell whose output :mod:`rmqops.operations.hosts.facts` reads. PURE."""

from __future__ import annotations

from rmqops.operations.hosts import directories

# Root reads nothing here that the service may have put there; reason.sh reads logs as the service. A process that
# no unit keeps is known by its word, if it is of the directory's owner (docs/adr/0005).
SCRIPT = (
    directories.SHELL
    + """
sockets=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {printf "%s ", $2}')
printf 'listening %s\\n' "$sockets"
# Listing the chains would load the kernel's tables where nobody has used them.
{ read -r _ < /proc/net/ip_tables_names || [ -d /sys/module/nf_tables ]; } 2>/dev/null &&
  iptables -w 1 -S 2>/dev/null | sed -n 's/^-N \\(RMQOPS-[0-9a-f]*\\)$/chain \\1/p'
newline='
'
IFS=$newline links= me=$(id -u)
set -f
# What is asked of all instances at once: each process that is not started is 2 ms.
field=0 homes= own= around=
for word; do
  field=$((field + 1))
  case $field in
    1) dir=$word around="$around${dir%/*}$newline$dir/trees$newline" ;;
    2) around="$around${word%/*}$newline" ;;
    4) [ -n "$word" ] || homes="$homes-Drmqops.instance=$dir$newline" ;;
    5) logs=$word ;;
    6)
      own="$own$dir$newline$word$newline$logs$newline"
      around="$around$dir/.$newline$word/.$newline$logs/.$newline" field=0 ;;
  esac
done
# The service has to pass through what is around its release and its own directories.
stats=$(stat -L -c 'stat %u %U %a %n' -- $around 2>/dev/null)
printf '%s\\n' "$stats"
places=$(readlink -m -- $own)$newline
processes= pids=
set +f
[ -z "$homes" ] || pids=$(printf %s "$homes" | grep -alzFx -f - /proc/[0-9]*/cmdline 2>/dev/null)
set -f
for file in $pids; do
  for word in $(tr '\\0' '\\n' 2>/dev/null < "$file"); do
    case $word in
      -Drmqops.instance=*)
        uid=$(stat -c %u "${file%/cmdline}" 2>/dev/null)
        processes="$processes$uid ${word#*=} ${file%/cmdline}$newline" ;;
    esac
  done
done
while [ $# -gt 0 ]; do
  dir=$1 release=$2 java=$3 unit=$4 logs=$5 data=$6 scope= pid=
  shift 6
  printf 'instance %s\\n' "$dir"
  # Most instances of a machine share their releases.
  if [ "$release $java" != "$links" ]; then
    links="$release $java" release_name= java_name=
    [ ! -L "$release" ] || release_name=$(readlink "$release")
    [ ! -L "$java" ] || java_name=$(readlink "$java")
  fi
  printf 'release %s\\n' "$release_name"
  [ -z "$java" ] || printf 'java %s\\n' "$java_name"
  printf 'deployer %s\\n' "$me"
  for part in instance data logs; do
    printf 'place %s\\n' "${places%%"$newline"*}"
    places=${places#*"$newline"}
  done
  look instance "$dir"
  look data "$data" "$dir/current/bin/run.sh"
  look logs "$logs" "$dir/current/bin/run.sh"
  case $unit in
    '') ;;
    /*) ;;
    *) unit=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/$unit scope=--user ;;
  esac
  [ ! -f "$unit" ] || printf 'unit %s\\n' "$(sha256sum < "$unit")"
  set +f
  # What a drill left. The owner of the data may have put files there under any name.
  name=${unit##*/rocketmq-}
  for file in "$dir"/heals/* "${data:-$dir}"/wiped-* "$dir"/.rmqops-fault-* "${data:-$dir}"/.rmqops-fault-* \\
    /etc/systemd/system/rmqops-fault-"${name%.service}"-*.service; do
    [ -e "$file" ] || continue
    case ${file##*/} in
      *[!A-Za-z0-9.-]* | *.log | *.new) ;;
      *.sh) printf 'heal %s %s\\n' "$(stat -c %Y "$file")" "${file##*/}" ;;
      *) printf 'left %s\\n' "$file" ;;
    esac
  done
  for override in "$unit".d/*.conf; do [ ! -f "$override" ] || printf 'override %s\\n' "$override"; done
  set -f
  if [ -f "$unit" ]; then
    export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$me}"
    name=${unit##*/}
    fields=ActiveState,SubState,Result,NRestarts,MainPID
    state=$(systemctl $scope show -p "$fields" "$name" 2>/dev/null | tr '\\n' ' ')
    printf 'state %s\\n' "$state"
    pid=${state#*MainPID=} pid=${pid%% *}
    case $state in
      *ActiveState=active* | *ActiveState=inactive*) ;;
      *) timeout 15 "$dir/current/bin/reason.sh" 2>/dev/null | tail -n 8 | sed 's/^[[:space:]]*/said /' ;;
    esac
  fi
  cd -P "$dir/current/" 2>/dev/null || continue
  printf 'tree %s\\n' "$PWD"
  find . \\( \\( ! -type l ! -uid "$me" -o -type d ! -perm 755 \\) -printf 'odd %u %m %P\\n' \\) , \\
    -type f -printf 'mode %m %P\\n' -exec sha256sum {} +
  set +f
  sed -n '/^[^#].*=/s/^/setting /p' conf/*.p
  set -f
  if [ -z "$unit" ]; then
    owner=${stats%" $dir/."*} owner=${owner##*stat } owner=${owner%% *}
    for process in $processes; do
      case $process in "$owner $dir /proc/"*) pid=${process##*/} ;; esac
    done
  fi
  case $pid in '' | 0 | *[!0-9]*) continue ;; esac
  words=$(tr '\\0' '\\n' 2>/dev/null < "/proc/$pid/cmdline")
  case "$newline$words$newline" in *"$newline-Drmqops.instance=$dir$newline"*) ;; *) continue ;; esac
  printf 'pid %s\\n' "$pid"
  for word in $words; do
    case $word in
      */conf/*.p) printf 'running %s\\n' "${word%/conf/*}" ;;
      *:*/lib/\\*) word=${word%/lib/*}; printf 'on %s\\n' "${word##*/}" ;;
    esac
  done
done
"""
)
OWNERS = """
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v ports="$(printf ' %04X' "$@") " '
  $4 == "0A" && index(ports, " " substr($2, length($2) - 3) " ") {print substr($2, length($2) - 3), $10}' |
while read -r port inode; do printf '%d %s\\n' "0x$port" "$inode"; done |
{
  held=$(cat)
  [ -n "$held" ] || exit 0
  find /proc/[0-9]*/fd -lname 'socket:*' -printf '%h %l\\n' 2>/dev/null | sort -u |
  awk -v held="$held" '
    BEGIN {count = split(held, part); for (i = 1; i < count; i += 2) port["socket:[" part[i + 1] "]"] = part[i]}
    $2 in port {split($1, path, "/"); print port[$2], path[3]; delete port[$2]}
    END {for (socket in port) print port[socket], "-"}'
} |
while read -r port pid; do
  if [ "$pid" = - ]; then
    printf '%s a process that only root may see\\n' "$port"
  else
    printf '%s pid %s (%s)\\n' "$port" "$pid" "$(tr '\\0' ' ' < "/proc/$pid/cmdline" | cut -c 1-120)"
  fi
done
"""
