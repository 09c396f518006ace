"""The kernel settings of RocketMQ's own ``bin/os.sh``, and its ports kept from outgoing connections.

``os.sh`` sets them until the next reboot and without asking; ``--apply`` writes them into one drop-in of
``/etc/sysctl.d``, with what was there before as comments. Not taken over: ``vm.drop_caches=1``, which is no
setting but an act, and what is commented out there. A container shares ``vm.*`` with its machine: nothing is
changed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from rmqops.model.commands import Command
from rmqops.operations.check.probes import Finding, Mend, Survey, ok, unknown, warning
from rmqops.operations.hosts.machines import Machine
from rmqops.operations.hosts.sections import Answer
from rmqops.operations.plan.plan import ports

SUMMARY = (
    "The kernel settings that RocketMQ's own bin/os.sh makes, and that no outgoing connection takes a "
    "port of ours."
)
FILE = "/etc/sysctl.d/60-rocketmq.conf"
RESERVED = "net.ipv4.ip_local_reserved_ports"
RANGE = "net.ipv4.ip_local_port_range"

_SCRIPT: Final = """
printf 'container %s\\n' "$(systemd-detect-virt -c 2>/dev/null)"
grep -sH '' "$@" | while IFS= read -r line; do
  if [ -w "${line%%:*}" ]; then can=yes; else can=no; fi
  printf '%s %s %s\\n' "${line%%:*}" "$can" "${line#*:}"
done
"""
# The first run keeps what was there as `# was:` lines; they are how it is taken back (docs/check.md).
_MEND: Final = """
set -eu
file=$1
shift
new=$(mktemp "$(dirname "$file")/.rmqops-XXXXXX")
trap 'rm -f "$new" "$new.next"' EXIT
if [ -f "$file" ]; then cat "$file" > "$new"; else printf '%s\\n' '# Written by rmqops check --apply.' > "$new"; fi
for pair; do
  key=${pair%%=*}
  if ! grep -qF "# was: $key = " "$new"; then
    printf '# was: %s = %s\\n' "$key" "$(sysctl -n "$key" | tr '\\t' ' ')" >> "$new"
  fi
  awk -v key="$key" 'index($0, key " = ") != 1' "$new" > "$new.next"
  printf '%s = %s\\n' "$key" "${pair#*=}" >> "$new.next"
  cat "$new.next" > "$new"
done
chmod 0644 "$new"
cmp -s "$new" "$file" || mv -f "$new" "$file"
sysctl -q -p "$file"
"""


@dataclass(frozen=True)
class _Setting:
    """One setting, what it is to be, and why."""

    wanted: str
    fits: Callable[[int], bool]
    value: str
    """What ``--apply`` sets."""
    why: str


SETTINGS: Final = {
    "vm.max_map_count": _Setting(
        "655360 or more", lambda n: n >= 655360, "655360", "every file of a store is mapped"
    ),
    "vm.swappiness": _Setting("1 or 0", lambda n: n <= 1, "1", "page cache must not push a heap out to swap"),
    "vm.overcommit_memory": _Setting("1", lambda n: n == 1, "1", "large mappings must not be refused"),
    "vm.zone_reclaim_mode": _Setting("0", lambda n: n == 0, "0", "page cache may lie on any NUMA node"),
    "vm.dirty_background_ratio": _Setting("50", lambda n: n == 50, "50", "the broker flushes by itself"),
    "vm.dirty_ratio": _Setting(
        "50 or more", lambda n: n >= 50, "50", "a writer must not be made to flush for others"
    ),
    "vm.dirty_writeback_centisecs": _Setting(
        "360000", lambda n: n == 360000, "360000", "the broker flushes by itself"
    ),
    "vm.page-cluster": _Setting("3", lambda n: n == 3, "3", "pages are read from swap in small groups"),
}


def ask(_machine: Machine, _survey: Survey) -> Iterator[Command]:
    """Read each setting, whether it can be set, and whether the machine is a container."""
    yield Command.shell(_SCRIPT, *(_path(key) for key in (*SETTINGS, RESERVED, RANGE)))


def judge(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Iterator[Finding]:
    """Hold each setting against what os.sh would make of it."""
    values = _values(answers)
    for key, setting in SETTINGS.items():
        if key not in values:
            continue  # a kernel without NUMA has no vm.zone_reclaim_mode
        _, _, text = values[key].partition(" ")
        wanted = f"{setting.wanted}: {setting.why}"
        if not text.isdecimal():
            yield unknown(text or "nothing", wanted, f"Look with `sysctl {key}`", subject=key)
        elif setting.fits(int(text)):
            yield ok(text, wanted, subject=key)
        else:
            yield warning(text, wanted, _remedy(key, values), subject=key)
    ports_at_risk = _unreserved(machine, values)
    if ports_at_risk:
        bounds = " to ".join(values[RANGE].split()[1:])
        found = f"{_listed(ports_at_risk)} may be given to an outgoing connection (range {bounds})"
        yield warning(found, "the ports of the instances, reserved", _remedy(RESERVED, values), subject=RESERVED)


def mend(machine: Machine, answers: tuple[Answer, ...], _survey: Survey) -> Mend | None:
    """Write what differs into the drop-in and load it; nothing where a setting belongs to another machine."""
    values = _values(answers)
    pairs = {
        key: setting.value
        for key, setting in SETTINGS.items()
        if key in values and not _fits(setting, values[key].partition(" ")[2]) and _ours(key, values)
    }
    ports_at_risk = _unreserved(machine, values)
    if ports_at_risk and _ours(RESERVED, values):
        before = values[RESERVED].partition(" ")[2]
        pairs[RESERVED] = ",".join(filter(None, [before, *map(str, ports_at_risk)]))
    if not pairs:
        return None
    arguments = [f"{key}={value}" for key, value in pairs.items()]
    return Mend(f"write {', '.join(arguments)} to {FILE} and load it", Command.shell(_MEND, FILE, *arguments))


def _path(key: str) -> str:
    return f"/proc/sys/{key.replace('.', '/')}"


def _values(answers: tuple[Answer, ...]) -> dict[str, str]:
    """Return what the script printed of each setting, by its key: whether it can be set, and its value."""
    keys = {_path(key): key for key in (*SETTINGS, RESERVED, RANGE)}
    return {keys.get(path, path): text for path, text in answers[0].values.items()}


def _fits(setting: _Setting, text: str) -> bool:
    return not text.isdecimal() or setting.fits(int(text))


def _ours(key: str, values: dict[str, str]) -> bool:
    """Tell whether a setting is this machine's own and can be set."""
    container = values.get("container", "none") not in {"", "none"}
    return values[key].startswith("yes ") and not (container and key.startswith("vm."))


def _remedy(key: str, values: dict[str, str]) -> str:
    container = values.get("container", "none")
    if container not in {"", "none"} and not _ours(key, values):
        return f"Set it on the machine that runs this container ({container}): it cannot be set from within"
    return "rmqops check --apply" if _ours(key, values) else f"Set {key} as root"


def _unreserved(machine: Machine, values: dict[str, str]) -> list[int]:
    """Return the ports of our instances that lie in the kernel's range and are not reserved."""
    bounds = values.get(RANGE, "").split()[1:]
    if len(bounds) != 2 or RESERVED not in values:
        return []
    reserved: set[int] = set()
    for part in values[RESERVED].partition(" ")[2].split(","):
        first, _, last = part.strip().partition("-")
        if first:
            reserved |= set(range(int(first), int(last or first) + 1))
    low, high = map(int, bounds)
    own = {port for item in machine.instances for _, port in ports(item)}
    return sorted(port for port in own if low <= port <= high and port not in reserved)


def _listed(numbers: list[int]) -> str:
    return f"port{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
