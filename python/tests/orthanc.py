"""An Orthanc on free ports of this machine that sends what it gets to SpineRT, by the Lua rule of docs/dicom-connection.md."""

import json
import re
import socket
from pathlib import Path

HOST = "127.0.0.1"
_DOCUMENT = Path(__file__).resolve().parents[2] / "docs/dicom-connection.md"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as one:
        return one.getsockname()[1]


def orthanc_config(folder: Path, title: str, http: int, dicom: int, spinert: int) -> Path:
    """The file that Orthanc is started with; it keeps its own below folder/orthanc."""
    script, config = folder / "route.lua", folder / "orthanc.json"
    script.write_text(re.search("```lua\n(.*?)```", _DOCUMENT.read_text(), re.S)[1])
    config.write_text(json.dumps({
        "StorageDirectory": str(folder / "orthanc"), "HttpPort": http, "StableAge": 1, "LuaScripts": [str(script)],
        "DicomPort": dicom, "DicomAet": title, "Plugins": [], "RemoteAccessAllowed": False,
        "DicomModalities": {"spinert": ["SPINERT", HOST, spinert]}}))
    return config
