"""What Ansible understands by a value, held to Ansible's own list."""

from __future__ import annotations

import pytest
from ansible.module_utils.parsing.convert_bool import (  # type: ignore[import-untyped]
    BOOLEANS_FALSE,
    BOOLEANS_TRUE,
)

from rmqops.model.ansible import truthy


@pytest.mark.parametrize("value", sorted(BOOLEANS_TRUE, key=str), ids=repr)
def test_what_ansible_takes_as_true_is_true(value: object) -> None:
    assert truthy(value)


@pytest.mark.parametrize("value", [*sorted(BOOLEANS_FALSE, key=str), None, "", "maybe"], ids=repr)
def test_all_else_is_false(value: object) -> None:
    assert not truthy(value)


@pytest.mark.parametrize("value", [" Yes ", "TRUE", "Y", True])
def test_case_and_blanks_do_not_count(value: object) -> None:
    assert truthy(value)
