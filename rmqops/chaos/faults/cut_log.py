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

from rmqops.chaos.mechanisms import processes, store_directory
from rmqops.chaos.mechanisms.plan import Aim, FaultPlan, Option
from rmqops.model.commands import Command, Script

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

# $1 home, $2 the log's directory, $3 where notes are kept, $4 bytes, $5 how.
# `written` finds the end by halving: from `high` on there are only zeros, so no byte is read twice.
_CUT = (
    _CHANGED
    + """
written() {
  low=0 high=$(stat -c %s "$1")
  while [ "$low" -lt "$high" ]; do
    middle=$(((low + high) / 2))
    if cmp -s -n "$((high - middle))" "$1" /dev/zero "$middle" 0; then high=$middle; else low=$((middle + 1)); fi
  done
  echo "$high"
}
[ -d "$2" ] || { echo "there is no log in $2" >&2; exit 1; }
end=0
for file in $(find "$2" -maxdepth 1 -type f -name '[0-9]*' -printf '%f\\n' | sort -r); do
  end=$(written "$2/$file")
  [ "$end" -eq 0 ] || break
done
[ "$end" -gt 0 ] || { echo "nothing was ever written to $2" >&2; exit 1; }
count=$(($4 < end ? $4 : end))
mkdir "$3" || exit 1
echo "$file $((end - count)) $count" > "$3/where"
tail -c "+$((end - count + 1))" "$2/$file" | head -c "$count" > "$3/was" || exit 1
changed "$5" < "$3/was" |
  dd of="$2/$file" bs=65536 oflag=seek_bytes seek="$((end - count))" conv=notrunc status=none
"""
)

# The bytes are held against what they were: damage that changed nothing is none.
_VERIFY = (
    _CHANGED
    + """
! "$1/current/bin/pid.sh" > /dev/null || { echo "$1 runs" >&2; exit 1; }
read -r file start count < "$3/where" || { echo "the log was not cut" >&2; exit 1; }
now() { tail -c "+$((start + 1))" "$2/$file" | head -c "$count"; }
now "$1" "$2" | cmp -s - "$3/was" && { echo "the last $count bytes of $2/$file are what they were" >&2; exit 1; }
changed "$5" < "$3/was" > "$3/damaged" && now "$1" "$2" | cmp - "$3/damaged"
"""
)

_HEAL = """
rm -rf -- "$2" && exec "$1/current/bin/start.sh"
"""


def requires(aim: Aim) -> Command:
    """Probe that the store is the running process's own."""
    return store_directory.probe(aim.instance).command()


def plan(aim: Aim, probe_output: str) -> FaultPlan:
    """Return the plan; ``probe_output`` is the process id."""
    home, log = aim.instance.home, store_directory.log(aim)
    notes = f"{home}/run/{aim.fault}"
    rest = (log, notes, f"{aim.number('bytes'):.0f}", aim.text("how"))
    return FaultPlan(
        inject=processes.kill(aim.instance, probe_output.strip(), Script(_CUT, (home, *rest))),
        verify=Command.shell(_VERIFY, home, *rest, timeout=VERIFY_SECONDS),
        heal=Command.shell(_HEAL, home, notes, timeout=processes.start(aim.instance).timeout),
        healed=store_directory.healed(aim.instance, notes),
    )
