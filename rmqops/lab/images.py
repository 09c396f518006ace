"""The image of a lab host: made once, named by its recipe, from a registry's Debian or else by debootstrap.

The recipe is the directory ``image`` beside this module. An image gets its name when it is complete, so a build
that is killed leaves none; what it left in the cache is removed by the next one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rmqops.errors import OperationFailed, ToolMissing
from rmqops.lab import aptsources
from rmqops.lab.engine import LABEL, Engine
from rmqops.model.commands import Command
from rmqops.source.cache import Cache, default_cache
from rmqops.source.process import run_logged
from rmqops.system import locks
from rmqops.system.progress import Say

REPOSITORY: Final = "localhost/rmqops-lab"
IMAGE_LABEL: Final = f"{LABEL}.image"
BASE: Final = "docker.io/library/debian:bookworm-slim"
PULL_SECONDS: Final = 90.0
MAKING: Final = "2"
"""Part of an image's name: count it up when something is made another way that no file of the recipe shows."""
RECIPE: Final = Path(__file__).with_name("image")
INSTALLED: Final = "/usr/local/lib/rmqops-lab"
DEBIAN_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""debootstrap's own choice for Debian."""


@dataclass(frozen=True)
class DebianArchive:
    """What debootstrap is pointed at."""

    uri: str
    codename: str
    keyring: str | None


def recipe() -> Mapping[str, bytes]:
    """Return the files that an image is made from."""
    return {path.name: path.read_bytes() for path in sorted(RECIPE.iterdir()) if path.is_file()}


def name(files: Mapping[str, bytes]) -> str:
    """Return the name of the image that a recipe makes."""
    digest = hashlib.sha256(MAKING.encode())
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def ensure(engine: Engine, say: Say, cache: Cache | None = None) -> str:
    """Return the name of the image, made first if it is not there; who comes second waits.

    Raises:
        ToolMissing: no registry is reachable and debootstrap is not here.
        OperationFailed: it could not be made; says which command failed and where its log is.
    """
    files = recipe()
    image = name(files)
    if engine.ask("image", "inspect", image).ok:
        return image
    cache = cache or default_cache()
    cache.logs.mkdir(parents=True, exist_ok=True)
    holder = f"making the image of lab hosts {image}"
    with locks.held(_lock(cache), holder, lambda who: say(f"waiting for {who}")) as held:
        if not engine.ask("image", "inspect", image).ok:
            work = _work(cache)
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            try:
                _make(engine, image, files, _Build(work, cache.new_log("lab-image"), held, say))
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return image


def sweep(cache: Cache | None = None) -> None:
    """Remove what a build that was killed has left; one that is under way keeps its own."""
    cache = cache or default_cache()
    if _work(cache).exists():
        with locks.held_if_free(_lock(cache), "sweeping up after a killed build") as mine:
            if mine:
                shutil.rmtree(_work(cache), ignore_errors=True)


def _lock(cache: Cache) -> Path:
    return cache.root / "lab-image.lock"


def _work(cache: Cache) -> Path:
    return cache.root / "lab-image.work"


def remove_all(engine: Engine) -> tuple[str, ...]:
    """Remove every image of lab hosts; return their names."""
    listed = engine.do("image", "ls", "--filter", f"label={IMAGE_LABEL}", "--format", "{{.Repository}}:{{.Tag}}")
    images = tuple(sorted(set(listed.stdout.split())))
    for image in images:
        engine.do("image", "rm", image)
    return images


@dataclass(frozen=True)
class _Build:
    work: Path
    log: Path
    lock: int
    say: Say

    def run(self, *argv: str, environ: Mapping[str, str] | None = None) -> None:
        program = shutil.which(argv[0])
        if program is None:
            raise ToolMissing(f"{argv[0]} is missing", remedy=f"apt-get install --no-install-recommends {argv[0]}")
        last: list[str] = []
        code = run_logged(
            [program, *argv[1:]],
            directory=self.work,
            environ={**os.environ, "LC_ALL": "C", **(environ or {})},
            log=self.log,
            on_line=last.append,
            keep_open=(self.lock,),
        )
        if code != 0:
            raise OperationFailed(
                f"{argv[0]} ended with {code} while the image of the lab's hosts was made",
                detail="\n".join(last[-12:]),
                remedy=f"mend that and run it again; the whole log is {self.log}",
            )


def _make(engine: Engine, image: str, files: Mapping[str, bytes], build: _Build) -> None:
    build.say(f"asking the registry for {BASE}")
    if _base_is_here(engine):
        build.say(f"making {image} from {BASE}")
        _from_registry(engine, image, build)
    else:
        archive = find_archive()
        build.say(
            f"making {image} by debootstrap from {archive.uri}, for lack of a registry; this takes a minute or two"
        )
        _from_debootstrap(engine, image, files, archive, build)


def _base_is_here(engine: Engine) -> bool:
    if engine.ask("image", "inspect", BASE).ok:
        return True
    with suppress(OperationFailed):
        return engine.transport.run(Command((engine.name, "pull", "--quiet", BASE), timeout=PULL_SECONDS)).ok
    return False


def _from_registry(engine: Engine, image: str, build: _Build) -> None:
    argv = [engine.name, "build", f"--tag={image}", f"--build-arg=BASE={BASE}", f"--label={IMAGE_LABEL}=1"]
    argv += ["--network=host", f"--file={RECIPE / 'Containerfile'}"]
    if engine.name == "podman":
        argv += ["--format=docker", "--isolation=chroot", "--layers=false"]
    build.run(*argv, str(RECIPE))


def _from_debootstrap(
    engine: Engine, image: str, files: Mapping[str, bytes], archive: DebianArchive, build: _Build
) -> None:
    root = build.work / "root"
    packages = files["packages"].decode().split()
    # In a mount namespace of its own, what it mounts ends with it, however it ends.
    build.run("unshare", "--mount", *debootstrap(archive, packages, root), environ=proxies(_apt_dump()))
    target = root.joinpath(*Path(INSTALLED).parts[1:])
    target.mkdir(parents=True)
    for path, content in files.items():
        (target / path).write_bytes(content)
        (target / path).chmod(0o755)
    (root / "etc/apt/apt.conf.d/90controller").write_text(acquire(_apt_dump()), "utf-8")
    build.run("chroot", str(root), "/bin/sh", f"{INSTALLED}/provision", environ={"PATH": _PATH})
    for leftover in (*(root / "var/cache/apt/archives").glob("*.deb"), *(root / "var/lib/apt/lists").glob("*_*")):
        leftover.unlink()
    packed = build.work / "root.tar"
    # The capabilities of files are extended attributes; ping has one.
    build.run("tar", "-C", str(root), "--xattrs", "--xattrs-include=security.capability", "-cf", str(packed), ".")
    build.run(*importing(engine.name, packed, image))


_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def debootstrap(archive: DebianArchive, packages: Sequence[str], root: Path) -> tuple[str, ...]:
    """Return the command that makes a root file system."""
    argv = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}"]
    if archive.keyring:
        argv.append(f"--keyring={archive.keyring}")
    return (*argv, archive.codename, str(root), archive.uri)


def importing(engine: str, packed: Path, image: str) -> tuple[str, ...]:
    """Return the command that makes an image of a packed root file system."""
    changes = (f'CMD ["{INSTALLED}/init"]', f"LABEL {IMAGE_LABEL}=1")
    return (engine, "import", *(f"--change={change}" for change in changes), str(packed), image)


def find_archive() -> DebianArchive:
    """Return the Debian archive that this machine's own apt uses.

    Raises:
        OperationFailed: its apt has none.
    """
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line
    )
    codename = release.get("VERSION_CODENAME", "").strip('"')
    etc = Path("/etc/apt")
    paths = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.*"))]
    texts = {
        str(path): path.read_text("utf-8", errors="replace")
        for path in paths
        if path.suffix in {".list", ".sources"} and path.is_file()
    }
    source = aptsources.main_archive(aptsources.parse(texts), codename)
    if source is None:
        raise OperationFailed(
            f"no registry is reachable, and this machine's apt names no archive of {codename or 'its release'}",
            remedy=f"make a registry with {BASE} reachable, or run the lab on Debian with its main archive",
        )
    return DebianArchive(source.uri, codename, source.keyring)


def _apt_dump() -> str:
    from rmqops.transport.local import LocalTransport

    return LocalTransport().run(Command(("apt-config", "dump"))).stdout


def acquire(dump: str) -> str:
    """Return the part of apt's configuration that says how packages are fetched: proxies, certificates, dates."""
    prefixes = ("Acquire::http", "Acquire::https", "Acquire::Check-")
    kept = [line for line in dump.splitlines() if line.startswith(prefixes) and not line.endswith('"";')]
    return "".join(f"{line}\n" for line in kept)


def proxies(dump: str) -> Mapping[str, str]:
    """Return apt's proxies as debootstrap's wget takes them."""
    environ = {}
    for line in dump.splitlines():
        for scheme in ("http", "https"):
            key, _, value = line.partition(" ")
            address = value.strip('";')
            if key == f"Acquire::{scheme}::Proxy" and address not in {"", "DIRECT", "false"}:
                environ[f"{scheme}_proxy"] = address
    return environ
