"""Counts the accounts of an org, again and again: an application that is never restarted for a new token."""

import logging
import os
import sys
import time

from salesforce_token import FreshToken, from_file, from_vault

logging.basicConfig()


def main() -> None:
    file = os.environ.get("SALESFORCE_TOKEN_FILE")
    read = from_file(file) if file else from_vault(os.environ["SALESFORCE_TOKEN_PATH"])
    token = FreshToken(read, pause_seconds=float(os.environ.get("READ_AGAIN_SECONDS", "30")))
    salesforce = token.client()
    while True:
        accounts = salesforce.query("SELECT Id FROM Account")["totalSize"]
        print(f"{accounts} accounts, token {token.document()['sequence']}", flush=True)
        time.sleep(float(os.environ.get("CALL_EVERY_SECONDS", "60")))


try:
    main()
except Exception as error:  # noqa: BLE001 - whatever it is, it is told in one line
    sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
