"""What is drawn is up to date."""

from __future__ import annotations

from scripts import draw_config_reference, draw_inventory_reference


def test_the_inventory_reference_is_what_the_script_draws() -> None:
    drawn = draw_inventory_reference.draw()
    assert draw_inventory_reference.OUT.read_text("utf-8") == drawn, "run `make docs`"


def test_the_reference_of_rocketmqs_keys_is_what_the_script_draws() -> None:
    assert draw_config_reference.OUT.read_text("utf-8") == draw_config_reference.draw(), "run `make docs`"
