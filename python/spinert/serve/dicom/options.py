"""The command line of the DICOM connection, checked before anything starts. Works without pynetdicom."""

import argparse
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError

Allowed = tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network | None]  # AE title, from where; None: anywhere


@dataclass(frozen=True)
class DicomSettings:
    host: str
    port: int
    title: str
    allowed: list[Allowed]
    destinations: list[str]  # TITLE@HOST:PORT
    stable_seconds: int

    def allows(self, title: str, address: str) -> bool:
        host = ipaddress.ip_address(address.partition("%")[0])
        host = getattr(host, "ipv4_mapped", None) or host
        return any(one == title and (network is None or host in network) for one, network in self.allowed)


def _title(text: str) -> str:
    if re.fullmatch(r"(?! )[ -?A-\[\]-~]{1,16}(?<! )", text):
        return text
    raise argparse.ArgumentTypeError(f"expected an AE title: 1 to 16 ASCII characters, no @ or \\, got {text!r}")


def _allowed(text: str) -> Allowed:
    title, at, network = text.partition("@")
    try:
        return _title(title), ipaddress.ip_network(network) if at else None
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected TITLE, TITLE@10.1.2.3 or TITLE@10.1.2.0/24, got {text!r}") from None


def _destination(text: str) -> str:
    title, _, rest = text.partition("@")
    if _title(title) and re.fullmatch(r"[A-Za-z0-9.:-]+:\d{1,5}", rest):
        return text
    raise argparse.ArgumentTypeError(f"expected TITLE@HOST:PORT, got {text!r}")


def add_options(parser: argparse.ArgumentParser, count: Callable[[str], int]) -> None:
    add = parser.add_argument_group("DICOM connection (docs/dicom-connection.md)").add_argument
    add("--dicom-port", type=int, metavar="N", help="of what is received, 0: any free one; default: nothing is")
    add("--dicom-host", default="127.0.0.1", metavar="ADDRESS", help="default: this machine only")
    add("--ae-title", type=_title, default="SPINERT", metavar="TITLE", help="ours; default: %(default)s")
    add("--allow-ae", type=_allowed, action="append", default=[], metavar="TITLE[@HOST]",
        help="who may send, HOST an address or network; repeat it")
    add("--send-to", type=_destination, action="append", default=[], metavar="TITLE@HOST:PORT",
        help="where results go; repeat it")
    add("--stable-seconds", type=count, default=60, metavar="N",
        help="a study runs when nothing came for so long; default: %(default)s")


def dicom_settings(given: Any) -> DicomSettings | None:
    """None: no connection was asked for. UsageError: what was asked for is not safe or makes no sense."""
    wrong = ""
    try:
        local = ipaddress.ip_address(given.dicom_host).is_loopback
        if given.dicom_port is None:
            if not given.allow_ae and not given.send_to:
                return None
            wrong = "--allow-ae and --send-to need --dicom-port"
        elif not given.allow_ae:
            wrong = "--dicom-port needs --allow-ae TITLE[@HOST]: without it nobody may send"
        elif not local and not all(network for _, network in given.allow_ae):
            wrong = f"other machines reach --dicom-host {given.dicom_host} under any title. Say --allow-ae TITLE@HOST"
    except ValueError:
        wrong = f"--dicom-host: expected an address, got {given.dicom_host}"
    if wrong:
        raise UsageError(2, "E_USAGE", wrong)
    return DicomSettings(given.dicom_host, given.dicom_port, given.ae_title, given.allow_ae,
                         list(dict.fromkeys(given.send_to)), given.stable_seconds)
