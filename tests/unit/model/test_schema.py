"""The schema as the role's two files say it."""

from __future__ import annotations

from rmqops.model.schema import Setting, schema
from rmqops.operations import inventories

SPECS = """
argument_specs:
  main:
    options:
      one:
        type: str
        description: >-
          What it
          says.
        choices: [a, b]
      two: {type: int, description: [First., Second.], required: true}
"""


def test_settings_and_defaults_are_read() -> None:
    read = schema(SPECS, "one: a\nhelper: '{{ one }}'\n")
    assert read.settings["one"] == Setting("one", "str", "What it says.", ("a", "b"))
    assert (read.settings["two"].type, read.settings["two"].required) == ("int", True)
    assert read.defaults == {"one": "a", "helper": "{{ one }}"}


def test_the_roles_own_is_whole() -> None:
    role = inventories.reference().schema
    assert {"rocketmq_version", "rocketmq_mode", "rocketmq_config"} <= set(role.settings)
    assert role.settings["rocketmq_mode"].choices
    optional = {name for name, setting in role.settings.items() if not setting.required}
    assert {"rocketmq_version", "rocketmq_mode"} <= optional & set(role.defaults)
    assert all(setting.description for setting in role.settings.values())
