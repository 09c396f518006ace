"""Whether a JVM starts on its host with the options that the inventory gives it: tried with ``-version``.

The options travel with the inventory's own ``java.sh``, so the Java, its version and the options are those of
``run.sh``. What would write to the instance's files, take its ports or touch the memory of its heap is left out:
the process that runs there is not disturbed. Instances whose options differ in directories alone are one question.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from rmqops.model import jvm_options
from rmqops.model.commands import AS_USER, Command
from rmqops.model.topology import Instance
from rmqops.model.variables import HostVariables
from rmqops.operations.hosts import sections
from rmqops.operations.hosts.machines import Machine, machines
from rmqops.operations.hosts.sections import Answer
from rmqops.operations.plan import trees
from rmqops.system import parallel
from rmqops.transport.base import Transports
from rmqops.transport.base import check as must

SECONDS: Final = 10
"""How long a JVM may take; one that starts takes under a second."""
_ROUND_SECONDS: Final = 60.0
_UNDISTURBING: Final = ("rocketmq_log_dir", "rocketmq_data_dir", "rocketmq_instance_dir")
"""Directories that are the scratch directory of the try."""
_LEFT_OUT: Final = re.compile(
    r"-(?:agentlib:|agentpath:|javaagent:|Dcom\.sun\.management\.|XX:StartFlightRecording|XX:ArchiveClassesAtExit"
    r"|XX:LogFile=|XX:[+]AlwaysPreTouch)"
)
"""Agents and recordings take ports and write files; AlwaysPreTouch touches the whole heap."""
_PREFIX: Final = re.compile(r"(?:[0-9]+-?:)?")
_NOISE: Final = re.compile(
    r"Picked up |Error: Could not create the Java Virtual Machine|Error: A fatal exception has occurred"
)
"""What a JVM says beside the reason."""
_NO_ROOM: Final = re.compile(
    r"could not reserve enough space|not enough space|cannot allocate memory|insufficient memory", re.IGNORECASE
)
_TRY: Final = f"""
code=$1 options=$2
shift 2
for need; do
  path=${{need#?}}
  case $need in
    r*) [ -r "$path" ] || lacks=read ;;
    w*) [ -w "$path" ] || lacks=written ;;
  esac
  [ -z "${{lacks:-}}" ] || {{ printf 'code 1\\n%s cannot be %s by %s\\n' "$path" "$lacks" "$(id -un)"; exit 0; }}
done
fail() {{ printf 'absent %s\\n' "$1"; exit 0; }}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
eval "$code"
timeout -k 1 {SECONDS} "$java" "$@" -XX:-UsePerfData -version > said 2>&1
printf 'code %s\\n' $?
head -n 20 said
"""
# As a unit starts it: as its user, else as one who may as little, and without the environment of this login.
_AS_SERVICE: Final = (
    AS_USER
    + """
user=$1 try=$2
shift 2
if [ -n "$user" ] && [ "$(id -u)" = 0 ]; then
  id -u "$user" > /dev/null 2>&1 || user=nobody
  as_user "$user" env -i PATH="$PATH" /bin/sh -c "$try" rmqops "$@"
else
  /bin/sh -c "$try" rmqops "$@"
fi
"""
)


@dataclass(frozen=True)
class Start:
    """A JVM that was tried."""

    instances: tuple[Instance, ...]
    """Those that would be started so."""
    trouble: str
    """What keeps it from starting, in the JVM's own words; empty when it starts."""
    absent: bool = False
    """Whether there is no Java at all."""
    inconclusive: bool = False
    """Whether nothing was found out."""


@dataclass(frozen=True)
class Question:
    """What is to be tried on a machine, once for several instances."""

    instances: tuple[Instance, ...]
    command: Command


def questions(instances: Iterable[Instance]) -> tuple[Question, ...]:
    """Return what to try for some instances of one machine."""
    together: dict[tuple[str, str, str, tuple[str, ...]], list[Instance]] = {}
    for instance in instances:
        user = instance.text("rocketmq_user") if instance.supervisor == "systemd" else ""
        together.setdefault((user, *_tried(instance)), []).append(instance)
    return tuple(
        Question(
            tuple(items),
            Command.shell(_AS_SERVICE, user, _TRY, code, options, *needs, timeout=SECONDS + 5),
        )
        for (user, code, options, needs), items in together.items()
    )


def judged(question: Question, answer: Answer) -> Start:
    """Return what an answer to a question means."""
    first, *rest = [*answer.lines, ""]
    word, _, text = first.partition(" ")
    if word == "absent":
        return Start(question.instances, text, absent=True)
    if word != "code" or not text.isdecimal():
        return Start(question.instances, f"it was not tried: the look ended with {answer.code}", inconclusive=True)
    if text == "0":
        return Start(question.instances, "")
    if int(text) in {sections.TIMED_OUT, 137}:
        return Start(question.instances, f"java -version took longer than {SECONDS} s", inconclusive=True)
    said = " ".join(line for line in rest if line and not _NOISE.match(line))[:400]
    trouble = said or f"java -version ended with {text}, without a word"
    return Start(question.instances, trouble, inconclusive=_NO_ROOM.search(trouble) is not None)


def tried(instances: Sequence[Instance], transports: Transports) -> tuple[Start, ...]:
    """Try the JVMs of some instances on their hosts, all machines at once.

    Raises:
        RmqopsError: a host could not be asked.
    """

    def ask(machine: Machine) -> Iterator[Start]:
        asked = questions(machine.instances)
        transport = transports(machine.instances[0])
        command = sections.joined([question.command for question in asked], _ROUND_SECONDS)
        output = must(transport.run(command), transport.host).stdout
        yield from map(judged, asked, sections.answers(output, len(asked)))

    found = parallel.mapped(lambda machine: tuple(ask(machine)), machines(instances))
    return tuple(start for starts in found for start in starts)


def _tried(instance: Instance) -> tuple[str, str, tuple[str, ...]]:
    """Return the text of ``java.sh``, the options without what would disturb the instance, and what those need."""
    variables = cast("HostVariables", instance.variables)
    elsewhere = replace(instance, variables=variables.overlaid(dict.fromkeys(_UNDISTURBING, ".")))
    options = trees.file(elsewhere, "jvm.options").splitlines()
    lines = [line for line in options if line and not line.startswith("#")]
    own = [f"{instance.text(name).rstrip('/')}/" for name in _UNDISTURBING]
    needs = tuple(
        need for line in lines for need in _needs(line) if not any(need[1:].startswith(place) for place in own)
    )
    kept = "\n".join(filter(None, map(_undisturbing, lines)))
    return trees.file(instance, "bin/java.sh"), kept, needs


def _needs(line: str) -> Iterator[str]:
    """Yield what an option that is left out reads (``r``) and where it writes (``w``), whichever Java there is."""
    option = jvm_options.parse(line)
    if option is None or line != option.word:
        return
    if option.agent:
        yield f"r{option.agent}"
    if option.log_file:
        yield f"w{posixpath.dirname(option.log_file)}/"


def _undisturbing(line: str) -> str:
    """Return an option that writes to the scratch directory alone; empty when it is left out."""
    prefix = cast("re.Match[str]", _PREFIX.match(line))[0]
    word = line[len(prefix) :]
    if _LEFT_OUT.match(word):
        return ""
    if word.startswith("-Xloggc:"):
        return f"{prefix}-Xloggc:./gc.log"
    if word.startswith("-Xlog:"):
        what, *rest = word.removeprefix("-Xlog:").split(":")
        if rest and rest[0] not in {"", "stdout", "stderr"}:
            rest[0] = "file=./gc.log"
        return f"{prefix}-Xlog:{':'.join([what, *rest])}"
    return line
