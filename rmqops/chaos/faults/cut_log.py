"""The end of a member's log is damaged, as by a machine that lost power in the middle of a write: a torn write.

``kill -9``, then the last bytes *that were written* are set to zero, as on a disk that made the file longer
before it wrote the data, or have their top bits turned, as on one that wrote something else. The log's files
are as large as the configuration says from the start and end in zeros (``MmapFileList`` of DLedger 0.1,
``MappedFile`` of RocketMQ), so "last written" is before those zeros, in the newest file that is not zeros all
through; a cut does not reach into the file before it. The process stays dead until the heal, which starts it:
what was there is not put back, and the member must get it from the master. ``recover`` of
``DLedgerMmapFileStore`` 0.1 holds the headers of entries against one another and against the index, but no
checksum, so an entry whose body alone is damaged is taken for good by it.

Imitates a torn write of one log; a power cut may also tear the index, the queues and the checkpoints.
"""

from __future__ import annotations

from rmqops.chaos.mechanisms import notes, processes, store_directory
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import AS_USER, Command, Script

SUMMARY = "kill -9, and the last written bytes of its log are damaged; healed by starting it again"
OPTIONS = {
    "bytes": Option(4096, "how many bytes before the end of what was written", low=1, high=1 << 20),
    "how": Option("zero", "set to zero, or the top bit of each byte turned", words=("zero", "flip")),
}

VERIFY_SECONDS = 30

# Changes bytes as the fault does.
_CHANGED = """
changed() {
  if [ "$1" = zero ]; then tr '\\000-\\377' '\\000' ; else tr '\\000-\\177\\200-\\377' '\\200-\\377\\000-\\177'; fi
}
"""

# $1 the log's directory. Prints the last file that was written to, and where what was written ends.
# `written` finds the end by halving: from `high` on there are only zeros, so no byte is read twice.
_END = """
written() {
  low=0 high=$(stat -c %s "$1")
  while [ "$low" -lt "$high" ]; do
    middle=$(((low + high) / 2))
    if cmp -s -n "$((high - middle))" "$1" /dev/zero "$middle" 0; then high=$middle; else low=$((middle + 1)); fi
  done
  echo "$high"
}
[ -d "$1" ] || { echo "there is no log in $1" >&2; exit 1; }
end=0
for file in $(find "$1" -maxdepth 1 -type f -regex '.*/[0-9]*' -printf '%f\\n' | sort -r); do
  end=$(written "$1/$file")
  [ "$end" -eq 0 ] || break
done
[ "$end" -gt 0 ] || { echo "nothing was ever written to $1" >&2; exit 1; }
echo "$file $end"
"""

# $1 home, $2 the log's directory, $3 where notes are kept, $4 bytes, $5 how, $6 whose the log is, $7 what finds
# its end. The log is read and damaged as its owner, the notes are not its.
_CUT = (
    _CHANGED
    + AS_USER
    + notes.SHELL
    + """
found=$(as_user "$6" /bin/sh -c "$7" rmqops "$2") || exit 1
file=${found% *} end=${found#* }
case $file$end in *[!0-9]*) echo "$2 has odd names in it: $file" >&2; exit 1 ;; esac
count=$(($4 < end ? $4 : end))
noted "$3" && mkdir "$3" || exit 1
echo "$file $((end - count)) $count" > "$3/where"
as_user "$6" dd if="$2/$file" iflag=nofollow,nonblock,skip_bytes,count_bytes skip="$((end - count))" \\
  count="$count" bs=65536 status=none > "$3/was" || exit 1
changed "$5" < "$3/was" | as_user "$6" dd of="$2/$file" bs=65536 oflag=nofollow,nonblock,seek_bytes \\
  seek="$((end - count))" conv=notrunc,nocreat status=none
"""
)

# The bytes are held against what they were: damage that changed nothing is none.
_VERIFY = (
    _CHANGED
    + AS_USER
    + """
! "$1/current/bin/pid.sh" > /dev/null || { echo "$1 runs" >&2; exit 1; }
read -r file start count < "$3/where" || { echo "the log was not cut" >&2; exit 1; }
now() {
  as_user "$3" dd if="$1/$2" iflag=nofollow,nonblock,skip_bytes,count_bytes skip="$start" count="$count" \\
    bs=65536 status=none
}
now "$2" "$file" "$6" | cmp -s - "$3/was" &&
  { echo "the last $count bytes of $2/$file are what they were" >&2; exit 1; }
changed "$5" < "$3/was" > "$3/damaged" && now "$2" "$file" "$6" | cmp - "$3/damaged"
"""
)

_HEAL = f"""{notes.SHELL}
rm -rf -- "$2" || exit 1
forgotten "$2"
exec "$1/current/bin/start.sh"
"""


def requires(aim: Aim) -> Command:
    """Probe that the store is the running process's own."""
    return store_directory.probe(aim.instance).command()


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id."""
    home, log = aim.instance.home, store_directory.log(aim)
    kept, user = notes.path(aim, "cut"), aim.instance.service_user
    rest = (log, kept, f"{aim.number('bytes'):.0f}", aim.text("how"), user)
    return FaultPlan(
        inject=processes.kill(aim.instance, probe_output.strip(), Script(_CUT, (home, *rest, _END))),
        verify=Command.shell(_VERIFY, home, *rest, timeout=VERIFY_SECONDS),
        heal=Command.shell(_HEAL, home, kept, timeout=processes.start(aim.instance).timeout),
        healed=store_directory.healed(aim.instance, kept),
    )
