"""Resolve the templates in inventory variables, as Ansible would, with what an inventory may rely on.

An inventory may use Jinja's own filters, the variables of its host, ``inventory_hostname``, ``group_names``,
``groups``, ``hostvars``, ``inventory_dir`` and ``lookup('env', NAME)``. Facts gathered from hosts are not there:
an inventory must be complete before the first connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from jinja2 import Environment, StrictUndefined, Template, TemplateError
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.runtime import Context

from rmqops.model.inventory import RawHost, RawInventory
from rmqops.model.topology import Value
from rmqops.model.yamltext import Opaque

_SCOPE: Final = "rmqops_scope"
_ENVIRONMENT_LOOKUPS: Final = {"env", "ansible.builtin.env"}
_VAULT_TAGS: Final = {"!vault", "!vault-encrypted"}


Lookup = Callable[..., str]
"""Jinja's ``lookup(plugin, name)`` for one inventory."""


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


class _ValueGenerator(NativeCodeGenerator):
    """Keeps a constant's type where it is all that a template says, as Ansible's own generator does."""

    def _output_const_repr(self, group: Iterable[Any]) -> str:
        constants = list(group)
        return repr(constants[0] if len(constants) == 1 else "".join(str(constant) for constant in constants))


class _ValueEnvironment(_Environment):
    code_generator_class = _ValueGenerator


def _shown(part: object) -> object:
    """Return what stands for a part of a text; null stands for nothing, as in Ansible."""
    return "" if part is None else part


class _Templates:
    """Templates, each compiled once however many hosts and inventories share it: compiling is what costs."""

    def __init__(self) -> None:
        options: dict[str, Any] = {
            "undefined": StrictUndefined,
            "trim_blocks": True,
            "keep_trailing_newline": True,
        }
        self._text_environment = _Environment(autoescape=False, finalize=_shown, **options)
        self._value_environment = _ValueEnvironment(autoescape=False, **options)
        self._texts: dict[str, Template] = {}
        self._values: dict[str, Template] = {}

    def text(self, template: str, variables: Mapping[str, object]) -> str:
        """Return the text of a template, as Ansible's ``template`` writes it."""
        if template not in self._texts:
            self._texts[template] = self._text_environment.from_string(template)
        return self._texts[template].render(variables)

    def value(self, template: str, variables: Mapping[str, object]) -> object:
        """Return the value of a template: one part keeps its type, several are text, and none is None."""
        if template not in self._values:
            self._values[template] = self._value_environment.from_string(template)
        compiled = self._values[template]
        parts = list(compiled.root_render_func(compiled.new_context(dict(variables))))
        if len(parts) > 1:
            return "".join(str(_shown(part)) for part in parts)
        return parts[0] if parts else None


_TEMPLATES: Final = _Templates()


class HostVariables(Mapping[str, Value]):
    """The variables of one host, each resolved when it is asked for."""

    def __init__(self, raw: Mapping[str, Value], magic: Mapping[str, object], lookup: Lookup) -> None:
        self._raw = raw
        self._magic = magic
        self._lookup = lookup
        self._globals = {_SCOPE: self, "lookup": lookup}
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

    def overlaid(self, values: Mapping[str, Value]) -> HostVariables:
        """Return the variables as they would be if the inventory said these values for this host."""
        return HostVariables({**self._raw, **values}, self._magic, self._lookup)

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
        return str(self._evaluated(_TEMPLATES.text, template))

    def _resolve(self, value: object) -> Value:
        if isinstance(value, list):
            return [self._resolve(item) for item in value]
        if isinstance(value, dict):
            return {key: self._resolve(item) for key, item in value.items()}
        if isinstance(value, Opaque):
            what = "vaulted" if value in _VAULT_TAGS else f"tagged {value}"
            raise Unresolvable(f"is {what}, and only Ansible can read it")
        if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
            return cast("Value", value)
        return self._evaluated(_TEMPLATES.value, value)

    def _evaluated(self, evaluate: Callable[[str, Mapping[str, object]], object], template: str) -> Value:
        try:
            result = evaluate(template, self._globals)
            if isinstance(result, StrictUndefined):
                str(result)  # raises, and says what is undefined
            return cast("Value", list(result) if isinstance(result, Iterator) else result)
        except Unresolvable:
            raise
        except TemplateError as error:
            raise Unresolvable(f"cannot be resolved: {error.message}") from error
        except Exception as error:  # a template is the operator's program: it can raise anything
            raise Unresolvable(f"cannot be resolved: {error}") from error


def resolve(
    inventory: RawInventory, defaults: Mapping[str, Value], process_environment: Mapping[str, str]
) -> dict[str, HostVariables]:
    """Give every host its variables: the role's defaults, the inventory's over them, and Ansible's magic ones.

    In ``hostvars`` the defaults are missing, as in Ansible.
    """

    def lookup(plugin: str, name: str, default: str = "", **_options: object) -> str:
        if plugin not in _ENVIRONMENT_LOOKUPS:
            raise Unresolvable(f"cannot be resolved: an inventory may look up 'env' alone, not {plugin!r}")
        return process_environment.get(name, default)

    hostvars: dict[str, HostVariables] = {}
    groups = {name: list(members) for name, members in inventory.groups.items()}

    def magic(host: RawHost) -> dict[str, object]:
        return {
            "inventory_hostname": host.name,
            "inventory_hostname_short": host.name.split(".")[0],
            "group_names": list(host.groups),
            "groups": groups,
            "hostvars": hostvars,
            "inventory_dir": inventory.directory,
        }

    scopes = {}
    for host in inventory.hosts.values():
        hostvars[host.name] = HostVariables(host.variables, magic(host), lookup)
        scopes[host.name] = HostVariables({**defaults, **host.variables}, magic(host), lookup)
    return scopes
