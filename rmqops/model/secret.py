"""A text that must not be seen: it prints as stars wherever it ends up; and secrets that stand in other texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final, NoReturn

_STARS: Final = "****"

# In these, a blank inside of a word is a space and `\0` is the end of a word of a command.
_NAME: Final = (
    r"(?:passw(?:or)?d|passwort|passphrase|pwd|secret|token|credentials?"
    r"|(?:api|access|private|secret|account|shared|master|auth)[-_.]?key)[\w.-]{0,40}|(?:pass|auth)(?![\w.-])"
)
"""What a word that names a secret has in it, or ends with; what is before is of no matter."""
_VALUE: Final = r"""(?:(?<=\0)[^\0]+|'[^'\0]*'|"[^"\0]*"|[^\s\0]+)"""
"""The rest of a word of a command, what is in quotes, or whatever ends at a blank."""

_ANYWHERE: Final = (
    # A private key, from its head to its end.
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^\0]*",
    # Authorization: Bearer abc; X-Api-Key: abc; Cookie: a=b
    r"""((?:authorization|cookie|x-[\w-]*(?:key|token|auth)[\w-]{0,40})["']?\s*[:=]\s*\0?)[^\0"'\n]+""",
    r"(\bbearer[\s\0]+)[^\s\0]+",
    # password: two words, as YAML and HTTP write it, up to the end of the line
    rf"""((?:{_NAME})["']?\s*:\s+)(?:'[^'\0]*'|"[^"\0]*"|[^\0\n]+)""",
    # PASSWORD=abc, "password":"abc", password: and the word after that, <password>abc
    rf"""((?:{_NAME})["']?\s*[=:>]\s*\0?){_VALUE}""",
    # --password abc
    rf"((?<![\w-])--?[\w.-]{{0,40}}?(?:{_NAME})[\s\0]+)(?!-){_VALUE}",
    # https://user:abc@host
    r"([a-z][a-z0-9+.-]{0,20}://[^\s\0/:@]*:)[^\s\0/]*(?=@)",
    # What services make such that it is known for a secret.
    r"(\b(?:gh[oprsu]_|github_pat_|glpat-|xox[abeprs]-|AKIA|ASIA|eyJ))[\w.-]{8,}",
)
_IN_COMMANDS: Final = (
    # token abc
    rf"((?<![\w/.-])[\w.-]{{0,40}}?(?:{_NAME})[\s\0]+)(?!-){_VALUE}",
    # mysql -pabc; curl -u user:abc; smbclient -U user%abc; sshpass -p abc, redis-cli -a abc, ldapsearch -w abc
    r"((?<![^\s\0])-p)(?!-)[^\s\0]+",
    r"((?<![^\s\0])(?:-u|--user|--proxy-user)[\s\0=]*[\w.@\\-]+:)[^\s\0]+",
    r"((?<![^\s\0])(?:-U|--user)[\s\0=]*[\w.@\\-]+%)[^\s\0]+",
    rf"(\b(?:sshpass|redis-cli|ldap\w+|mysql\w*|mongo\w*)\b[^\n|;]*?[\s\0]-[apw][\s\0]+)(?!-){_VALUE}",
    # Long, and of small letters, capital ones and digits: names of files and hosts are not like that.
    r"()(?<![\w/.-])(?=[\w+-]*[a-z])(?=[\w+-]*[A-Z])(?=[\w+-]*\d)[\w+-]{20,}={0,2}(?![\w/.-])",
)


def hide(text: str) -> str:
    """Return a text with stars for the secrets in it, for logs and diffs.

    That is what stands after a name such as ``password`` and ``=``, ``:`` or as an option's value, in the head
    ``Authorization``, before the ``@`` of a URL, and what has the form of a service's token.
    """
    return _without(text, _ANYWHERE)


def hide_in_command(argv: Sequence[str]) -> list[str]:
    """Return a command's words with stars for what may be a secret, over the borders of words.

    More than :func:`hide` knows: a word after one that names a secret, ``-p`` with something joined to it, what
    programs of that kind take by a letter, and long words of letters and digits at random. A secret that looks
    like any word and stands where any word stands is not found.
    """
    return _without("\0".join(argv), _ANYWHERE + _IN_COMMANDS).split("\0") if argv else []


def _without(text: str, rules: tuple[str, ...]) -> str:
    for rule in rules:
        text = _compiled(rule).sub(rf"\g<1>{_STARS}", text)
    return text


@cache
def _compiled(rule: str) -> re.Pattern[str]:
    """Compile a rule when it is first used: that takes milliseconds, and most commands never hide anything."""
    flags = re.NOFLAG if rule.startswith("()") else re.IGNORECASE
    return re.compile(rule, flags)


class Secret:
    """A password. ``str``, ``repr`` and formatting give stars; only :meth:`reveal` gives the text."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the text itself; for the one place that hands it on."""
        return self.__text

    def __repr__(self) -> str:
        return _STARS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self.__text

    def __hash__(self) -> int:
        return hash(self.__text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written to a file")
