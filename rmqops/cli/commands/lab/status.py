"""``rmqops lab status``."""

from __future__ import annotations

from rmqops.cli import output
from rmqops.cli.options import Json, LabName


def command(name: LabName = "lab", json: Json = False) -> int:
    """Show the hosts of a lab: address, systemd, sshd, and the instances that the inventory puts there.

    Exits with 0 when every host is there, has booted and can be reached, else with 1.
    """
    from rmqops.lab import hosts

    seen = hosts.status(name)
    if json:
        output.result_json(
            {
                "name": seen.name,
                "good": seen.good,
                "subnet": seen.subnet,
                "version": seen.request.version if seen.request else None,
                "mode": seen.request.mode if seen.request else None,
                "inventory": seen.inventory,
                "hosts": [
                    {
                        "name": host.name,
                        "address": host.address,
                        "running": host.running,
                        "system": host.system,
                        "sshd": host.sshd,
                        "instances": list(host.instances),
                    }
                    for host in seen.hosts
                ],
            }
        )
    elif not seen.hosts:
        output.result(f"there is no lab {name}")
    else:
        rows = [
            [
                host.name,
                host.address,
                host.system if host.running else "stopped",
                "answers" if host.sshd else "silent",
                ", ".join(host.instances),
            ]
            for host in seen.hosts
        ]
        output.table(f"lab {name} on {seen.subnet}", ["host", "address", "systemd", "sshd", "instances"], rows)
        missing = set(seen.request.names) - {host.name for host in seen.hosts} if seen.request else set()
        if missing:
            output.result(f"missing: {', '.join(sorted(missing))}; rmqops lab up makes them")
    return 0 if seen.good else 1
