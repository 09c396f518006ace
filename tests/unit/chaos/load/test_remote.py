"""The load on clients' hosts, with this machine as one: clocks, what is put there, processes and their end."""

from __future__ import annotations

import asyncio
import io
import os
import pwd
import signal
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqops.chaos.history.format import FILE
from rmqops.chaos.history.recorder import Recorder
from rmqops.chaos.load.clients.drivers import Native, Settings
from rmqops.chaos.load.clients.java import CompiledClient
from rmqops.chaos.load.clients.settings import ConsumerSettings, ProducerSettings
from rmqops.chaos.load.hosts import clocks, remote
from rmqops.chaos.load.hosts.clocks import Offset
from rmqops.chaos.load.hosts.files import Archive, ClientProgram, ReadyHost, SurveyedHost
from rmqops.chaos.load.hosts.files.java import Jars
from rmqops.chaos.load.hosts.files.native import Modules
from rmqops.chaos.load.hosts.remote import ClientHost
from rmqops.chaos.load.settings import Load as LoadWanted
from rmqops.chaos.load.worker import Worker
from rmqops.chaos.load.workers import Workers
from rmqops.chaos.run import placement
from rmqops.errors import Inconclusive, OperationFailed, PreflightFailed
from rmqops.model.commands import Command
from rmqops.model.topology import Client
from rmqops.source.artifacts import Artifact, RuntimeArtifact
from rmqops.transport.fake import FakeTransport
from rmqops.transport.local import LocalTransport
from tests.support.instances import topology

ANSWERS = """
import os, time
while os.read(0, 1):
    print(time.monotonic_ns(), flush=True)
"""
WORKER = """#!/bin/sh
# Stands for a JVM: says one line of a history, does as it is told, and ends with its input.
case "$*" in *rmqops.load.Clock*) exit 1;; esac
echo '{"t":1.5,"process":"producer-1","op":"send","type":"invoke"}'
echo complains >&2
while read -r word; do
  [ "$word" != stop ] || { echo '{"summary":{"name":"x","lines":1}}'; exit 0; }
done
exit 1
"""
PRODUCER = ProducerSettings("producer-1", "p1", 0.0, "drill", ("127.0.0.1:1",), rate=50, size=64)
BARE_PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")
"""Without the packages of this environment."""
CREW: list[Settings] = [
    ConsumerSettings("consumer-1", 0.0, "drill", "drill", ("127.0.0.1:1",), ("broker-a",), 4),
    PRODUCER,
]
ARTIFACT = Artifact(
    "4.5.2", "rocketmq-4.5.2-0", Path("/a"), "0", 1, "0", "17", 8, "2026-01-01", Path("/log"),
    RuntimeArtifact("java-17-x-0", Path("/j"), "0", 1, "17.0.15", "x86_64"),
)  # fmt: skip
MADE = CompiledClient(None, ARTIFACT, Path("/cache/classes/load-0"))  # type: ignore[arg-type]


def client(base: Path | str = "/opt/rocketmq", java: str = "system") -> Client:
    variables = {"rocketmq_base_dir": str(base), "rocketmq_java": java, "rocketmq_java_home": ""}
    return Client("c1", "127.0.0.1", "local", variables)


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=20),
)
def test_an_offset_is_within_its_bound_however_unequal_the_ways(
    truth: float, trips: list[tuple[float, float, float]]
) -> None:
    found = clocks.best((asked, asked + there + truth, asked + there + back) for asked, there, back in trips)
    assert abs(found.seconds - truth) <= found.bound + 1e-6
    assert found.bound <= min(there + back for _, there, back in trips) / 2 + 1e-6


def test_a_clock_is_asked_by_a_process() -> None:
    with LocalTransport().open(Command(("python3", "-c", ANSWERS), become=False), talk=True) as running:
        found = clocks.measure(running, "c1")
    assert abs(found.seconds) <= found.bound, "it is the same clock"
    with (
        LocalTransport().open(
            Command.shell("echo no clock; echo sorry >&2; cat", become=False), talk=True
        ) as other,
        pytest.raises(OperationFailed, match="c1: its clock cannot be read"),
    ):
        clocks.measure(other, "c1")


@pytest.fixture
def place(tmp_path: Path) -> ClientHost:
    program = tmp_path / "java"
    program.write_text(WORKER)
    program.chmod(0o755)
    engine = ClientProgram(
        lambda mark, silence: Native((str(program),), mark, silence), (str(program), "rmqops.load.Clock")
    )
    return ClientHost(ReadyHost(client(tmp_path), LocalTransport(), engine), Offset(100.0, 0.001))


async def begun(load: Workers) -> None:
    await load.start(CREW)
    async with asyncio.timeout(20):
        while not all(worker.complaints for worker in load.workers):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)


def command_line(worker: Worker) -> str:
    try:
        return Path(f"/proc/{worker.process.pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


async def test_processes_on_a_host_are_heard_killed_stopped_and_gone(place: ClientHost, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "load" / "runs" / "run" / "clients").mkdir(parents=True)
    with Recorder(run) as recorder:
        load = Workers(recorder, Native(), [place])
        try:
            await begun(load)
            told = [command_line(worker) for worker in load.workers]
            assert all('"epoch": 100.0' in words and "\0-Drmqops.load=run\0" in words for words in told)
            assert await load.kill(load.producers[0]) == -signal.SIGKILL
            assert command_line(load.workers[1]) == ""
            again = await load.replace(load.workers[1])
            assert again.where is place
            load.alive()
            await load.stop([again], 10)
        finally:
            await load.close()
    assert [worker.process.returncode for worker in load.workers] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert load.client == {"on": "c1", "clock of c1": "+100000.000 ms ± 1.000 ms"}
    assert list((tmp_path / "load" / "runs").iterdir()) == []
    assert (run / FILE).read_bytes().count(b'"t":1.5') == 3
    with pytest.raises(OperationFailed, match="the load has ended"):
        await place.start(PRODUCER, run)


async def test_processes_end_when_the_connection_does(place: ClientHost, tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        load = Workers(recorder, Native(), [place])
        try:
            await begun(load)
            for running in place._opened:
                running.close()
            assert [await worker.process.wait() for worker in load.workers] == [1, 1]
        finally:
            await load.close()


async def test_what_does_not_start_makes_the_run_inconclusive(place: ClientHost, tmp_path: Path) -> None:
    (tmp_path / "java").unlink()
    with Recorder(tmp_path) as recorder:
        load = Workers(recorder, Native(), [place])
        try:
            await load.start([PRODUCER])
            assert await load.workers[0].process.wait() == 127
            with pytest.raises(Inconclusive, match="producer-1 ended with 127"):
                load.alive()
        finally:
            await load.close()


@pytest.mark.parametrize(
    ("java", "said", "made", "told"),
    [
        ("system", "user ops\nmachine x86_64\n", MADE, "c1 has no Java that runs"),
        ("system", "user ops\njava /bin/java\nversion 1.7.0_80\n", MADE, "c1 has Java 1.7.0_80"),
        (
            "bundled",
            "user ops\nmachine aarch64\n",
            MADE,
            "c1 is a aarch64, and the Java that travels is for x86_64",
        ),
        ("bundled", "user ops\n", replace(MADE, artifact=replace(ARTIFACT, runtime=None)), "built without one"),
    ],
)
def test_a_host_without_a_java_that_will_do_is_refused(
    java: str, said: str, made: CompiledClient, told: str
) -> None:
    transport = FakeTransport(lambda _: (0, said))
    with pytest.raises(PreflightFailed, match=rf"{told}.*nothing was touched"):
        Jars(made, {}).survey(client(java=java), transport)
    assert len(transport.commands) == 1
    assert not transport.files


def test_what_a_host_has_already_is_not_put_there_again() -> None:
    said = "user ops\nmachine x86_64\nthere load-0\n"
    seen = Jars(MADE, {}).survey(client(java="bundled"), FakeTransport(lambda _: (0, said)))
    assert [piece.name for piece in seen.missing] == ["java-17-x-0"]
    assert (seen.user, seen.program.clock[0]) == ("ops", "/opt/rocketmq/load/java-17-x-0/bin/java")


def packed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("load/lib/a.jar")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"jar"))
    return buffer.getvalue()


def test_what_is_missing_is_put_there_and_what_an_old_run_left_is_removed(tmp_path: Path) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    pieces = (Archive("load-0", packed),)
    seen = SurveyedHost(client(tmp_path), LocalTransport(), ClientProgram(lambda *_: Native(), ()), user, pieces)
    room = tmp_path / "load"
    for run in ("old", "under-way"):
        (room / "runs" / run).mkdir(parents=True)
    with LocalTransport().open(Command.shell("cat", "-Drmqops.load=under-way", become=False), talk=True):
        for _ in range(2):  # somebody else may have put it there meanwhile
            assert str(seen.upload().directory) == str(room)
        assert sorted(path.name for path in room.iterdir()) == ["load-0", "runs"]
        assert [path.name for path in (room / "runs").iterdir()] == ["under-way"]
    assert (room / "load-0" / "lib" / "a.jar").read_bytes() == b"jar"
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightFailed, match=r"c1: what the load needs cannot be put into .*file/load"):
        replace(seen, client=client(tmp_path / "file")).upload()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("user ops\n", "c1 has no python3 that runs"),
        ("user ops\npython /usr/bin/python3\nversion 3.9\n", "c1 has Python 3.9, and .* needs 3.11"),
    ],
)
def test_a_host_without_a_python_that_will_do_is_refused(said: str, told: str) -> None:
    transport = FakeTransport(lambda _: (0, said))
    with pytest.raises(PreflightFailed, match=rf"{told}.*nothing was touched"):
        Modules().survey(client(), transport)
    assert not transport.files


async def test_what_travels_of_the_native_client_is_all_it_needs(tmp_path: Path) -> None:
    """Nobody answers at that address; but it starts, says which client it is, and ends as told."""
    there = client(tmp_path)
    there = replace(there, variables={**there.variables, "ansible_python_interpreter": BARE_PYTHON})
    ready = Modules().survey(there, LocalTransport()).upload()
    assert Modules().survey(there, LocalTransport()).missing == ()
    offset = remote.measure_clock(ready)
    assert abs(offset.seconds) <= offset.bound, "it is the same clock"
    run = tmp_path / "run"
    run.mkdir()
    with Recorder(run) as recorder:
        load = Workers(recorder, Native(), [ClientHost(ready, offset)])
        try:
            await load.start([PRODUCER, replace(PRODUCER, name="producer-2", prefix="p2")])
            async with asyncio.timeout(30):
                while not all(worker.client for worker in load.workers):  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.01)
            assert load.client["driver"] == "native"
            await load.stop(load.workers[:1], 30)
        finally:
            await load.close()
    assert [worker.process.returncode for worker in load.workers] == [0, -signal.SIGKILL]


async def test_a_native_process_that_hears_nothing_ends_itself() -> None:
    process = await asyncio.create_subprocess_exec(
        *Native(silence=1).argv(PRODUCER, Path()), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        assert await process.wait() == 1


def test_without_hosts_for_it_a_load_is_refused() -> None:
    wanted = LoadWanted(driver="java", where="clients")
    with pytest.raises(PreflightFailed, match=r"trial.yml has none; nothing was touched \(list hosts"):
        placement.refuse(topology(), wanted)
    placement.refuse(replace(topology(), clients=(client(),)), wanted)
    placement.refuse(topology(), LoadWanted())


def test_the_load_comes_from_its_hosts_addresses() -> None:
    wanted, cluster = LoadWanted(driver="java", where="clients"), replace(topology(), clients=(client(),))
    there = FakeTransport(lambda _: (0, "10.0.9.1\n10.0.8.1\n"))
    assert placement.addresses(cluster, wanted, lambda _: there) == ("10.0.9.1", "10.0.8.1")
    with pytest.raises(PreflightFailed, match="c1 has no way to the instances"):
        placement.addresses(cluster, wanted, lambda _: FakeTransport(lambda _: (0, "")))
    assert remote.SILENCE > 2 * remote.PULSE
