"""Directories of a host that are not for RocketMQ, each with the reason. PURE: the one table of them.

``validate`` holds it against what an inventory says, and a plan against where that leads on the host by links.
What else is somebody's, which no table can know, is seen by what lies there
(:mod:`rmqops.operations.hosts.directories`).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Final

_SOFTWARE: Final = r"""(
AccountsService|NetworkManager|PackageKit|alternatives|ansible|apache2?|apport|apt|aptitude|audit|bacula|bind|caddy|
ceph|chrony|clamav|cloud|cni|cockroach|consul|containerd|containers|couchdb|cups|dbus|debconf|dhcp[a-z]*|dnf|docker|
dovecot|dpkg|elasticsearch|etcd|exim4?|fail2ban|firewalld|flatpak|fluentd|fwupd|games|gdm3?|git|gitlab|grafana|grub|
haproxy|httpd|initramfs-tools|installer|influxdb|jenkins|journal|kafka|kubelet|letsencrypt|libvirt|lightdm|locate|
logrotate|lxc|lxcfs|lxd|machines|man-db|mariadb|memcached|minio|misc|mlocate|mongodb?|munin|mysql|nagios|named|nfs|
nginx|nomad|ntp|ntpsec|openldap|opensearch|os-prober|pam|pcp|pgsql|php[0-9.]*|plymouth|podman|polkit-1|portables|
postfix|postgresql[0-9.-]*|private|prometheus|pulsar|puppet|python[0-9.]*|rabbitmq|redis|rhsm|rkhunter|rpcbind|rpm|
rsyslog|samba|selinux|sgml-base|snapd|snmp|squid|sssd?|sudo|supervisor|swtpm|sysstat|systemd|tftpboot|tomcat[0-9]*|
tuned|ucf|udisks2|unbound|unattended-upgrades|update-manager|upower|vault|vim|xfsdump|xml-core|yum|zabbix|zookeeper
)"""
_PRIVATE: Final = "ansible|aws|azure|config|docker|gnupg|helm|kube|m2|mozilla|npm|password-store|pki|ssh|vault"


@dataclass(frozen=True)
class _Place:
    """Some directories, and why none of ours may be there."""

    pattern: str
    """Of a whole path; what lies below is only meant where it ends in :data:`_BELOW`."""
    reason: str
    units: bool = False
    """Whether it is only meant where units of the system run the instances: those have a user and a view of files
    of their own."""

    def holds(self, path: str) -> bool:
        """Tell whether a directory is one of them."""
        return re.fullmatch(self.pattern, path, re.VERBOSE) is not None


_BELOW: Final = r"(/.*)?"
_PLACES: Final = (
    _Place("/", "is the root of everything"),
    _Place(
        rf"/(bin|boot|dev|efi|etc|lib[a-z0-9]*|lost\+found|proc|sbin|snap|sys){_BELOW}",
        "belongs to the system",
    ),
    _Place(rf"/run{_BELOW}|/var/(run|lock){_BELOW}", "belongs to the system, which empties it at every boot"),
    _Place(
        rf"/usr|/usr/(?!local(/|$)).*|/usr/local|/usr/local/(bin|etc|games|include|lib[a-z0-9]*|man|sbin|share|src){_BELOW}",
        "belongs to the system: programs and what they need",
    ),
    _Place(r"/(home|media|mnt|opt|root|srv|var)", "belongs to the system, and holds the directories of others"),
    _Place(r"/home/[^/]+", "belongs to a user: it is a home directory"),
    _Place(
        rf"/(root|home/[^/]+)/(\.({_PRIVATE}){_BELOW}|\.local(/(share|bin|lib|state))?)",
        "belongs to a user: keys and settings of other programs lie there",
    ),
    _Place(rf"/root{_BELOW}", "belongs to root, and the user of a unit cannot get in", units=True),
    _Place(
        r"/var/(adm|cache|crash|db|empty|lib|local|log|nis|opt|preserve|tmp|www|yp)|/tmp",
        "belongs to the system, and holds the directories of others",
    ),
    _Place(rf"/var/(backups|kerberos|mail|spool){_BELOW}", "belongs to the system: mail, jobs and backups"),
    _Place(rf"/var/(cache|lib|log)/{_SOFTWARE}{_BELOW}", "belongs to other software"),
    _Place(
        rf"(/tmp|/var/tmp){_BELOW}",
        "belongs to everybody: any user may put something there, it is cleaned, and a unit has one of its own",
        units=True,
    ),
)


def reason(path: str, *, units: bool) -> str | None:
    """Say why a directory is not for RocketMQ, as the end of a sentence that begins with it; None when it may be.

    Args:
        path: Absolute.
        units: Whether units of the system run the instances.
    """
    clean = "/" + posixpath.normpath(path).lstrip("/")
    return next((each.reason for each in _PLACES if (units or not each.units) and each.holds(clean)), None)
