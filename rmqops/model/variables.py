"""Resolve the templates in inventory variables, as Ansible would, with what an inventory may rely on.

An inventory may use Jinja's own filters, the variables of its host, ``inventory_hostname``, ``group_names``,
``groups``, ``hostvars``, ``inventory_dir`` and ``lookup('env', NAME)``. Facts gathered from hosts are not there:
an inventory must be complete before the first connection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.runtime import Context

from rmqops.model.ansible import is_number
from rmqops.model.bounded_templates import BoundedEnvironment, TooMuch, concatenated, counted, measured
from rmqops.model.inventory import RawHost, RawInventory
from rmqops.model.topology import Value
from rmqops.model.yamltext import Opaque, Verbatim

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


class _Environment(BoundedEnvironment):
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
        parts = list(measured(iter(compiled.root_render_func(compiled.new_context(dict(variables))))))
        if len(parts) > 1:
            return concatenated(_shown(part) for part in parts)
        return parts[0] if parts else None


_TEMPLATES: Final = _Templates()


class HostVariables(Mapping[str, Value]):
    """The variables of one host, each resolved when it is asked for."""

    def __init__(
        self,
        raw: Mapping[str, Value],
        magic: Mapping[str, object],
        lookup: Lookup,
        numbers: Collection[str] = (),
        endless: dict[str, str] | None = None,
    ) -> None:
        """Take what is said of a host.

        Args:
            raw: Its variables, templates as they stand.
            magic: Ansible's own.
            lookup: Jinja's.
            numbers: Variables that are whole numbers, however they are written.
            endless: Templates that were given up, and why; for all hosts, so that each is tried once.
        """
        self._raw = raw
        self._magic = magic
        self._lookup = lookup
        self._numbers = numbers
        self._endless = {} if endless is None else endless
        self._broken: dict[str, str] = {}
        self._globals = {_SCOPE: self, "lookup": lookup}
        self._resolved: dict[str, Value] = {}
        self._resolving: list[str] = []

    def __getitem__(self, key: str) -> Value:
        if key in self._magic:
            return cast("Value", self._magic[key])
        if key in self._broken:
            raise Unresolvable(self._broken[key])
        if key not in self._resolved:
            if key in self._resolving:
                raise Unresolvable(f"refers to itself: {' → '.join([*self._resolving, key])}")
            self._resolving.append(key)
            try:
                value = self._resolve(self._raw[key])
            except Unresolvable as error:
                if len(self._resolving) == 1:  # one in the middle of a circle is told from where it begins
                    self._broken[key] = str(error)
                raise
            finally:
                self._resolving.remove(key)
            self._resolved[key] = self._number(value) if key in self._numbers else value
        return self._resolved[key]

    @staticmethod
    def _number(value: Value) -> Value:
        """Return the number that a text is: the environment has no other numbers."""
        return int(value) if isinstance(value, str) and is_number(value) else value

    def overlaid(self, values: Mapping[str, Value]) -> HostVariables:
        """Return the variables as they would be if the inventory said these values for this host."""
        raw = {**self._raw, **values}
        return HostVariables(raw, self._magic, self._lookup, self._numbers, self._endless)

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
        if isinstance(value, Verbatim) or not isinstance(value, str):
            return cast("Value", value)
        if "{{" not in value and "{%" not in value:
            return value
        return self._evaluated(_TEMPLATES.value, value)

    def _evaluated(self, evaluate: Callable[[str, Mapping[str, object]], object], template: str) -> Value:
        if template in self._endless:
            raise Unresolvable(self._endless[template])
        try:
            with counted():
                result = evaluate(template, self._globals)
                if isinstance(result, StrictUndefined):
                    str(result)  # raises, and says what is undefined
                return cast("Value", measured(list(result) if isinstance(result, Iterator) else result))
        except Unresolvable:
            raise
        except TooMuch as error:
            self._endless[template] = f"cannot be resolved: it {error.message}"
            raise Unresolvable(self._endless[template]) from error
        except TemplateError as error:
            raise Unresolvable(f"cannot be resolved: {error.message}") from error
        except Exception as error:  # a template is the operator's program: it can raise anything
            raise Unresolvable(f"cannot be resolved: {error}") from error


def resolve(
    inventory: RawInventory,
    defaults: Mapping[str, Value],
    process_environment: Mapping[str, str],
    numbers: Collection[str] = (),
) -> dict[str, HostVariables]:
    """Give every host its variables: the role's defaults, the inventory's over them, and Ansible's magic ones.

    In ``hostvars`` the defaults are missing, as in Ansible. ``numbers`` are variables that are whole numbers.
    """

    def lookup(plugin: str, name: str, default: str = "", **_options: object) -> str:
        if plugin not in _ENVIRONMENT_LOOKUPS:
            raise Unresolvable(f"cannot be resolved: an inventory may look up 'env' alone, not {plugin!r}")
        return process_environment.get(name, default)

    hostvars: dict[str, HostVariables] = {}
    groups = {name: list(members) for name, members in inventory.groups.items()}

    def magic(host: RawHost) -> dict[str, object]:
        known: dict[str, object] = {
            "inventory_hostname": host.name,
            "inventory_hostname_short": host.name.split(".")[0],
            "group_names": list(host.groups),
            "groups": groups,
            "hostvars": hostvars,
        }
        return known if host.directory is None else {**known, "inventory_dir": host.directory}

    scopes = {}
    endless: dict[str, str] = {}
    for host in inventory.hosts.values():
        known = magic(host)
        hostvars[host.name] = HostVariables(host.variables, known, lookup, numbers, endless)
        scopes[host.name] = HostVariables({**defaults, **host.variables}, known, lookup, numbers, endless)
    return scopes
