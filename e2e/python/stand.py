# SPDX-License-Identifier: Apache-2.0
"""Runs a program, and then stands with all that it has in memory until the standard input ends."""

import runpy
import sys
import traceback

sys.argv = sys.argv[1:]
ok = True
try:
    kept = runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    ok = not end.code
except BaseException:
    traceback.print_exc()
    ok = False
sys.stderr.flush()
if ok:
    print("\nkeyward-e2e: done", flush=True)
    sys.stdin.read()
sys.exit(not ok)
