"""The options of OpenSSH's client, one by one: what becomes of each where rmqops itself logs in. PURE.

``ssh -G`` (9.2) prints them under these names; ssh_config(5) says what they mean. Ansible's half is ``ssh`` itself
and has them all. For paramiko's half each is one of:

- *honoured*: done as OpenSSH does it, most of them because ``ssh -G`` has done it;
- *without effect*: nothing that a login by key, a command or a host's key depends on;
- *named*: paramiko cannot do it, and without it a login is refused or a key is unknown, so the error says so;
- *refused*: without it a login would succeed that must not, or go another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Treatment = Literal["honoured", "without effect", "named", "refused"]


@dataclass(frozen=True)
class Option:
    """What becomes of an option that somebody has set."""

    treatment: Treatment
    remedy: str = ""
    """What to do instead; of one that is named or refused."""


_HONOURED: Final = (
    "addressfamily", "bindaddress", "canonicaldomains", "canonicalizefallbacklocal", "canonicalizehostname",
    "canonicalizemaxdots", "canonicalizepermittedcnames", "certificatefile", "ciphers", "connecttimeout",
    "globalknownhostsfile", "host", "hostkeyalgorithms", "hostkeyalias", "hostname", "identitiesonly",
    "identityagent", "identityfile", "kexalgorithms", "macs", "port", "proxycommand", "proxyjump",
    "pubkeyacceptedalgorithms", "pubkeyauthentication", "requiredrsasize", "stricthostkeychecking", "tag", "user",
    "userknownhostsfile",
)  # fmt: skip
_WITHOUT_EFFECT: Final = (
    # asked for and shown nothing, no terminal
    "batchmode", "enableescapecommandline", "escapechar", "fingerprinthash", "loglevel", "logverbose",
    "numberofpasswordprompts", "obscurekeystroketiming", "requesttty", "syslogfacility", "visualhostkey",
    # how bytes travel
    "channeltimeout", "compression", "connectionattempts", "ipqos", "rekeylimit", "serveralivecountmax",
    "serveraliveinterval", "tcpkeepalive", "versionaddendum",
    # one connection for several sessions: rmqops has its own
    "controlmaster", "controlpath", "controlpersist",
    # ports, displays and devices that are forwarded; never by rmqops
    "clearallforwardings", "dynamicforward", "exitonforwardfailure", "forwardagent", "forwardx11",
    "forwardx11timeout", "forwardx11trusted", "gatewayports", "localforward", "permitremoteopen", "remoteforward",
    "streamlocalbindmask", "streamlocalbindunlink", "tunnel", "tunneldevice", "xauthlocation",
    # other ways to log in, of which rmqops takes none
    "casignaturealgorithms", "challengeresponseauthentication", "enablesshkeysign", "gssapiclientidentity",
    "gssapidelegatecredentials", "gssapikexalgorithms", "gssapikeyexchange", "gssapirenewalforcesrekey",
    "gssapiserveridentity", "gssapitrustdns", "hostbasedacceptedalgorithms", "kbdinteractiveauthentication",
    "kbdinteractivedevices", "passwordauthentication", "preferredauthentications",
    # of host keys, what rmqops is at least as strict in
    "checkhostip", "hashknownhosts", "nohostauthenticationforlocalhost", "updatehostkeys",
    # done on this machine beside a login
    "addkeystoagent", "ignoreunknown", "localcommand", "permitlocalcommand", "warnweakcrypto",
    # the environment of a login; a command of rmqops sets its own
    "sendenv", "setenv",
)  # fmt: skip
_NAMED: Final[Mapping[str, str]] = {
    "gssapiauthentication": "rmqops logs in by key: ssh-add one",
    "hostbasedauthentication": "rmqops logs in by key: ssh-add one",
    "knownhostscommand": "write the keys that it prints to a known_hosts file",
    "pkcs11provider": "let the agent use it: ssh-add -s PROVIDER",
    "securitykeyprovider": "let the agent use it: ssh-add -S PROVIDER KEY",
    "verifyhostkeydns": "write the host's key to a known_hosts file: --accept-new-host-keys, after a look at it",
}
_REFUSED: Final[Mapping[str, str]] = {
    "bindinterface": "name an address by BindAddress instead",
    "forkafterauthentication": "set it to no for these hosts",
    "proxyusefdpass": "set it to no, and let ProxyCommand carry the bytes (nc -X …, ssh -W %h:%p JUMP)",
    "remotecommand": "set it to none for these hosts: ssh runs no command of Ansible's beside it",
    "revokedhostkeys": "write its keys as '@revoked * TYPE KEY' to a known_hosts file, which both halves read",
    "sessiontype": "set it to default for these hosts: ssh runs no command otherwise",
    "stdinnull": "set it to no for these hosts: commands get their input by it",
}
OPTIONS: Final[Mapping[str, Option]] = {
    **{name: Option("honoured") for name in _HONOURED},
    **{name: Option("without effect") for name in _WITHOUT_EFFECT},
    **{name: Option("named", remedy) for name, remedy in _NAMED.items()},
    **{name: Option("refused", remedy) for name, remedy in _REFUSED.items()},
}
"""By the name that ``ssh -G`` prints, in lower case."""
_OLD_NAMES: Final[Mapping[str, str]] = {
    "dsaauthentication": "pubkeyauthentication", "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms", "rsaminsize": "requiredrsasize",
    "skeyauthentication": "challengeresponseauthentication", "smartcarddevice": "pkcs11provider",
    "globalknownhostsfile2": "globalknownhostsfile", "userknownhostsfile2": "userknownhostsfile",
}  # fmt: skip
_UNKNOWN: Final = Option("named", "it is not known to rmqops; set it back for these hosts")
_OFF: Final = frozenset({"no", "none", "false", "off", "internal", "default", ""})


def of(name: str) -> Option:
    """Return what becomes of an option, by its name in any case; one that nobody knows here is named."""
    lower = name.lower()
    return OPTIONS.get(_OLD_NAMES.get(lower, lower), _UNKNOWN)


def is_off(value: str) -> bool:
    """Tell whether a value asks for nothing."""
    return value.strip().lower() in _OFF
