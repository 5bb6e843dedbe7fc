"""A program of an operator that brings certificates into the org."""

from __future__ import annotations

import sys
from pathlib import Path

_TEXT = '''\
#!{python}
"""Puts the certificate on standard input into an app of the org."""
import json, os, sys, urllib.request

pem = sys.stdin.read()
with open(os.environ["ROTATOR_CERTIFICATE_FILE"]) as file:
    assert file.read() == pem
body = json.dumps({{"app": sys.argv[2], "pem": pem}}).encode()
urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/certificate", body, method="POST")).close()
with open(sys.argv[3], "a") as log:
    print(os.environ["ROTATOR_CREDENTIAL"], os.environ["ROTATOR_CERTIFICATE_SHA256"], file=log)
'''


def program(python: str = sys.executable) -> str:
    """Return the text of the program. Its arguments: the org's control URL, the app, and a log of its runs."""
    return _TEXT.format(python=python)


def install_program(folder: Path, control_url: str, app: str) -> tuple[list[str], Path]:
    """Write the program, and return the command for an app and the log in which each run has a line."""
    file, log = folder / "install-certificate", folder / "install-certificate.log"
    file.write_text(program())
    file.chmod(0o755)
    return [str(file), control_url, app, str(log)], log
