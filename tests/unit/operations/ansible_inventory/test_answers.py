"""Which answers of Ansible are kept, and what makes rmqops ask it again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rmqops.operations.ansible_inventory import asking, sources
from rmqops.operations.ansible_inventory.answers import read
from rmqops.operations.ansible_inventory.asking import Answer

HOSTS = "all: {hosts: {a: {x: 1}}}\n"


class Inventory:
    """An inventory in the directory below the working one, and how often Ansible was asked about it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked = 0
        self.write("inv/hosts.yml", HOSTS)
        self.write("inv/group_vars/all/main.yml", "y: 1\n")
        self.write("shared/common.yml", "z: 1\n")
        (root / "inv" / "group_vars" / "linked").symlink_to(root / "shared")

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def relink(self) -> None:
        self.write("other/common.yml", "z: 3\n")
        link = self.root / "inv" / "group_vars" / "linked"
        link.unlink()
        link.symlink_to(self.root / "other")

    def ask(self, _files: object) -> Answer:
        self.asked += 1
        return Answer({"_meta": {"hostvars": {"a": {"secret": "correct horse", "asked": self.asked}}}})

    def read(self, *names: str) -> None:
        read(sources.look(names or ("inv",)))

    def is_kept(self, *names: str) -> bool:
        self.read(*names)
        asked = self.asked
        self.read(*names)
        return self.asked == asked


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RMQOPS_CACHE", str(tmp_path / "cache"))
    made = Inventory(tmp_path / "work")
    monkeypatch.setattr(asking, "ask", made.ask)
    return made


Change = Callable[[Inventory, pytest.MonkeyPatch], object]

CHANGES: dict[str, Change] = {
    "a list of hosts": lambda inv, _: inv.write("inv/hosts.yml", HOSTS.replace("1", "2")),
    "a file of variables": lambda inv, _: inv.write("inv/group_vars/all/main.yml", "y: 2\n"),
    "a file behind a link": lambda inv, _: inv.write("shared/common.yml", "z: 2\n"),
    "a new file behind a link": lambda inv, _: inv.write("shared/more.yml", "z: 2\n"),
    "a new list of hosts": lambda inv, _: inv.write("inv/more.yml", HOSTS),
    "a new file of variables": lambda inv, _: inv.write("inv/host_vars/a.yml", "x: 2\n"),
    "variables of the working directory": lambda inv, _: inv.write("group_vars/all.yml", "x: 2\n"),
    "a file that is gone": lambda inv, _: (inv.root / "inv/group_vars/all/main.yml").unlink(),
    "a file of another name": lambda inv, _: (inv.root / "inv/hosts.yml").rename(inv.root / "inv/hosts.ini"),
    "a link that leads elsewhere": lambda inv, _: inv.relink(),
    "a link that leads nowhere": lambda inv, _: (inv.root / "shared/common.yml").unlink(),
    "a program": lambda inv, _: (inv.root / "inv/hosts.yml").chmod(0o755),
    "ansible.cfg here": lambda inv, _: inv.write("ansible.cfg", "[defaults]\nhash_behaviour = merge\n"),
    "ansible.cfg at home": lambda inv, _: inv.write(
        "../home/.ansible.cfg", "[defaults]\nhash_behaviour = merge\n"
    ),
    "ansible.cfg elsewhere": lambda inv, patch: patch.setenv("ANSIBLE_CONFIG", str(inv.root / "my.cfg")),
    "a setting of the environment": lambda _, patch: patch.setenv("ANSIBLE_HASH_BEHAVIOUR", "merge"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_ansible_is_asked_again_after(change: str, inventory: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inventory.is_kept()
    asked = inventory.asked
    CHANGES[change](inventory, monkeypatch)
    inventory.read()
    assert inventory.asked == asked + 1


def test_an_answer_is_found_again_where_the_same_inventory_lies_elsewhere(inventory: Inventory) -> None:
    assert inventory.is_kept()
    (inventory.root / "inv").rename(inventory.root / "copy")
    asked = inventory.asked
    inventory.read("copy")
    assert inventory.asked == asked


def test_the_order_of_sources_counts(inventory: Inventory) -> None:
    inventory.write("b.yml", HOSTS)
    assert inventory.is_kept("inv", "b.yml")
    assert inventory.is_kept("b.yml", "inv")
    assert inventory.asked == 2


OTHERS: dict[str, Change] = {
    "a program": lambda inv, _: (inv.root / "inv/hosts.yml").chmod(0o755),
    "a plug-in": lambda inv, _: inv.write("inv/aws.yml", "plugin: aws_ec2\n"),
    "what may be a plug-in": lambda inv, _: inv.write("inv/aws.yml", '"plug\\x69n": aws_ec2\n'),
    "what is encrypted": lambda inv, _: inv.write(
        "inv/group_vars/all/vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n61\n"
    ),
    "plug-ins that the settings name": lambda inv, _: inv.write("ansible.cfg", "[defaults]\nvars_plugins = v\n"),
    "plug-ins at home": lambda inv, _: inv.write("../home/.ansible/plugins/vars/mine.py", ""),
    "facts that are cached": lambda _, patch: patch.setenv("ANSIBLE_CACHE_PLUGIN", "jsonfile"),
    "settings that are none": lambda inv, _: inv.write("ansible.cfg", "vars_plugins\n"),
    "a pipe": lambda inv, _: os.mkfifo(inv.root / "inv/pipe"),
    "a circle": lambda inv, _: (inv.root / "inv/group_vars/all/again").symlink_to(inv.root / "inv/group_vars"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_ansible_is_asked_every_time_of(
    other: str, inventory: Inventory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    OTHERS[other](inventory, monkeypatch)
    assert not inventory.is_kept()
    assert not any((tmp_path / "cache").rglob("*.json"))


def test_settings_of_plays_alone_do_not_matter(inventory: Inventory) -> None:
    inventory.write("ansible.cfg", "[defaults]\nforks = 50\ncallbacks_enabled = timer\ncallback_plugins = c\n")
    assert inventory.is_kept()


def test_a_kept_answer_is_ours_alone(inventory: Inventory, tmp_path: Path) -> None:
    assert inventory.is_kept()
    [kept] = (tmp_path / "cache").rglob("*.json")
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    kept.chmod(0o644)
    asked = inventory.asked
    inventory.read()
    assert inventory.asked == asked + 1, "what others could have written is not believed"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"listing": {}}', "\x00"])
def test_a_damaged_answer_is_none(text: str, inventory: Inventory, tmp_path: Path) -> None:
    inventory.read()
    [kept] = (tmp_path / "cache").rglob("*.json")
    kept.write_text(text)
    inventory.read()
    assert inventory.asked == 2


def test_what_changes_while_ansible_reads_is_not_kept(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def ask(files: object) -> Answer:
        inventory.write("inv/hosts.yml", HOSTS + "# changed\n")
        return inventory.ask(files)

    monkeypatch.setattr(asking, "ask", ask)
    inventory.read()
    assert not any((tmp_path / "cache").rglob("*.json"))


def test_a_cache_that_cannot_be_written_is_done_without(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMQOPS_CACHE", "/proc/nowhere")
    assert not inventory.is_kept()
