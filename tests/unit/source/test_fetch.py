"""Where sources come from, with an archive on loopback and a Maven of shell."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.errors import DigestMismatch, SourceError
from rmqops.source.fetch import Fetcher, SourceOrigin, verified_zip
from rmqops.source.jdk import Jdk
from rmqops.source.maven import Maven
from rmqops.source.progress import Progress

from .conftest import write_program

CONTENT = bytes(range(256)) * 1000
NAME = "rocketmq-all-9.9.9-source-release.zip"


class Archive(http.server.BaseHTTPRequestHandler):
    """Serves the release whole, and another one torn."""

    def do_GET(self) -> None:
        if self.path not in (f"/whole/9.9.9/{NAME}", f"/torn/9.9.9/{NAME}"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path.startswith("/whole") else CONTENT[:70_000])

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetcher(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Fetcher:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "work").mkdir()
    write_maven(tmp_path, "echo '[ERROR] Could not transfer artifact a:b'; exit 1")
    maven = Maven(tmp_path / "mvn", Jdk(tmp_path / "jdk", "17.0.1"), {"PATH": "/usr/bin:/bin"}, tmp_path / "log")
    return Fetcher("9.9.9", lambda: maven, tmp_path / "work", seen.append, archive=f"{address}/whole")


seen: list[Progress] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def write_maven(tmp_path: Path, script: str) -> None:
    write_program(tmp_path / "mvn", f"#!/bin/sh\n{script}\n")


def test_the_archive_gives_the_zip_and_tells_how_far_it_is(fetcher: Fetcher) -> None:
    path, origin = replace(fetcher, origin=SourceOrigin.APACHE).get()
    assert path.read_bytes() == CONTENT
    assert origin == f"{fetcher.archive}/9.9.9/{NAME}"
    assert (seen[-1].done, seen[-1].total) == (len(CONTENT), len(CONTENT))
    assert len(seen) > 3


def test_a_torn_download_is_no_download(fetcher: Fetcher) -> None:
    torn = replace(fetcher, origin=SourceOrigin.APACHE, archive=fetcher.archive.replace("whole", "torn"))
    with pytest.raises(SourceError, match=f"broke off after 70000 of {len(CONTENT)} bytes|IncompleteRead"):
        torn.get()
    assert list(fetcher.work.iterdir()) == []


def test_a_file_that_is_not_there_is_said(fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match="Not Found"):
        replace(fetcher, origin=SourceOrigin.APACHE, version="9.9.8").get()


def test_maven_is_asked_first(fetcher: Fetcher, tmp_path: Path) -> None:
    write_maven(
        tmp_path,
        f'for a; do case "$a" in -DoutputDirectory=*) printf abc > "${{a#*=}}/{NAME}";; esac; done',
    )
    path, origin = fetcher.get()
    assert path.read_bytes() == b"abc"
    assert origin == "the Maven artifact org.apache.rocketmq:rocketmq-all:9.9.9:zip:source-release"


def test_without_maven_central_the_archive_is_asked(fetcher: Fetcher) -> None:
    assert fetcher.get()[1].startswith("http://127.0.0.1")


def test_when_nobody_has_it_each_says_why(fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match="could be fetched from nowhere") as caught:
        replace(fetcher, version="9.9.8").get()
    assert "Maven did not fetch" in str(caught.value.detail)
    assert "Not Found" in str(caught.value.detail)
    assert "--source" in str(caught.value.remedy)


def test_offline_asks_maven_alone(fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match="Maven did not fetch"):
        replace(fetcher, offline=True).get()
    assert all("http" not in step.message for step in seen)


def test_a_closed_network_is_said(fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match=r"could not be fetched: .*refused") as caught:
        replace(fetcher, origin=SourceOrigin.APACHE, archive="http://127.0.0.1:1").get()
    assert "https_proxy" in str(caught.value.remedy)


def test_only_the_right_bytes_come_into_the_cache(fetcher: Fetcher, tmp_path: Path) -> None:
    wanted = replace(fetcher, origin=SourceOrigin.APACHE)
    cached = tmp_path / "cached.zip"
    with pytest.raises(DigestMismatch):
        verified_zip(wanted, "ab" * 64, cached)
    assert not cached.exists()
    assert list(fetcher.work.iterdir()) == []
    assert verified_zip(wanted, hashlib.sha512(CONTENT).hexdigest(), cached) == cached
    assert cached.read_bytes() == CONTENT


def test_a_verified_zip_is_fetched_once_and_a_spoilt_one_again(fetcher: Fetcher, tmp_path: Path) -> None:
    wanted = replace(fetcher, origin=SourceOrigin.APACHE)
    cached = tmp_path / "cached.zip"
    digest = hashlib.sha512(CONTENT).hexdigest()
    verified_zip(wanted, digest, cached)
    seen.clear()
    verified_zip(wanted, digest, cached)
    assert seen == []
    cached.write_bytes(b"spoilt")
    assert verified_zip(wanted, digest, cached).read_bytes() == CONTENT


def test_wrong_bytes_from_maven_say_where_maven_keeps_them(fetcher: Fetcher, tmp_path: Path) -> None:
    write_maven(
        tmp_path,
        f'for a; do case "$a" in -DoutputDirectory=*) printf abc > "${{a#*=}}/{NAME}";; esac; done',
    )
    with pytest.raises(DigestMismatch) as caught:
        verified_zip(fetcher, "ab" * 64, tmp_path / "cached.zip")
    assert "org/apache/rocketmq/rocketmq-all/9.9.9" in str(caught.value.remedy)
    assert hashlib.sha512(b"abc").hexdigest() in caught.value.message
