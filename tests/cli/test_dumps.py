"""What is in the memory of a command stays there."""

from __future__ import annotations

import subprocess
import sys

NON_DUMPABLE = 0  # SUID_DUMP_DISABLE of linux/sched/coredump.h
LOOK = """
import ctypes, resource
from rotator.cli import main
try:
    main(["--version"], standalone_mode=False)
finally:
    print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
"""


def test_the_program_leaves_no_core_dump_and_no_other_of_its_user_reads_its_memory():
    said = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True).stdout
    assert said.splitlines()[-1] == f"(0, 0) {NON_DUMPABLE}"
