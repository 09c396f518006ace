"""Resolve the templates in inventory variables, as Ansible would, with what an inventory may rely on.

An inventory may use Jinja's own filters, the variables of its host, ``inventory_hostname``, ``group_names``,
``groups``, ``hostvars``, ``inventory_dir`` and ``lookup('env', NAME)``. Facts gathered from hosts are not there:
an inventory must be complete before the first connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from jinja2 import Environment, StrictUndefined, TemplateError
from jinja2.runtime import Context

from rmqops.model.inventory import RawHost, RawInventory
from rmqops.model.topology import Value

_SCOPE: Final = "rmqops_scope"
_ENVIRONMENT_LOOKUPS: Final = {"env", "ansible.builtin.env"}


class Unresolvable(Exception):
    """A template that cannot be resolved; the message says why."""


class _LazyContext(Context):
    """Resolves a variable when a template uses it, so that an unused one need not be resolvable."""

    def resolve_or_missing(self, key: str) -> Any:  # noqa: ANN401 - Jinja's signature
        scope: HostVariables | None = self.parent.get(_SCOPE)
        if scope is not None and key in scope and key not in self.vars:
            return scope[key]
        return super().resolve_or_missing(key)


class _Environment(Environment):
    context_class = _LazyContext


def environment() -> Environment:
    """Return Jinja set as Ansible's ``template`` sets it: strict, block ends trimmed, last newline kept."""
    return _Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True, autoescape=False)


class HostVariables(Mapping[str, Value]):
    """The variables of one host, each resolved when it is asked for."""

    def __init__(self, raw: Mapping[str, Value], magic: Mapping[str, object], jinja: Environment) -> None:
        self._raw = raw
        self._magic = magic
        self._jinja = jinja
        self._resolved: dict[str, Value] = {}
        self._resolving: list[str] = []

    def __getitem__(self, key: str) -> Value:
        if key in self._magic:
            return cast("Value", self._magic[key])
        if key not in self._resolved:
            if key in self._resolving:
                raise Unresolvable(f"refers to itself: {' → '.join([*self._resolving, key])}")
            self._resolving.append(key)
            try:
                self._resolved[key] = self._resolve(self._raw[key])
            finally:
                self._resolving.remove(key)
        return self._resolved[key]

    def __contains__(self, key: object) -> bool:
        return key in self._raw or key in self._magic

    def __iter__(self) -> Iterator[str]:
        return iter({**self._raw, **self._magic})

    def __len__(self) -> int:
        return len({**self._raw, **self._magic})

    def render(self, template: str) -> str:
        """Return the text of a template.

        Raises:
            Unresolvable: it uses what is not there, or is not a template.
        """
        try:
            return self._jinja.from_string(template).render({_SCOPE: self})
        except TemplateError as error:
            raise Unresolvable(f"cannot be resolved: {error.message}") from error
        except (TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise Unresolvable(f"cannot be resolved: {error}") from error

    def _resolve(self, value: object) -> Value:
        if isinstance(value, list):
            return [self._resolve(item) for item in value]
        if isinstance(value, dict):
            return {key: self._resolve(item) for key, item in value.items()}
        if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
            return cast("Value", value)
        template = value.strip()
        inner = template[2:-2]
        if template.startswith("{{") and template.endswith("}}") and "}}" not in inner:
            return self._expression(inner)
        return self.render(template)

    def _expression(self, expression: str) -> Value:
        """Evaluate one expression that stands alone, which keeps its type, as in Ansible."""
        try:
            result = self._jinja.compile_expression(expression.strip(), undefined_to_none=False)(**{_SCOPE: self})
            if isinstance(result, StrictUndefined):
                str(result)  # raises, and says what is undefined
        except TemplateError as error:
            raise Unresolvable(f"cannot be resolved: {error.message}") from error
        except (TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise Unresolvable(f"cannot be resolved: {error}") from error
        return cast("Value", list(result) if isinstance(result, Iterator) else result)


def resolve(
    inventory: RawInventory, defaults: Mapping[str, Value], process_environment: Mapping[str, str]
) -> dict[str, HostVariables]:
    """Give every host its variables: the role's defaults, the inventory's over them, and Ansible's magic ones."""
    jinja = environment()

    def lookup(plugin: str, name: str, **_options: object) -> str:
        if plugin not in _ENVIRONMENT_LOOKUPS:
            raise Unresolvable(f"cannot be resolved: an inventory may look up 'env' alone, not {plugin!r}")
        return process_environment.get(name, "")

    hostvars: dict[str, HostVariables] = {}

    def scope(host: RawHost) -> HostVariables:
        magic: dict[str, object] = {
            "inventory_hostname": host.name,
            "inventory_hostname_short": host.name.split(".")[0],
            "group_names": list(host.groups),
            "groups": {name: list(members) for name, members in inventory.groups.items()},
            "hostvars": hostvars,
            "inventory_dir": inventory.directory,
        }
        return HostVariables({**defaults, **host.variables}, magic, jinja)

    jinja.globals["lookup"] = lookup
    hostvars.update({host.name: scope(host) for host in inventory.hosts.values()})
    return hostvars
