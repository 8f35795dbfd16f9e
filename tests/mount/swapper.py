# SPDX-License-Identifier: MIT
"""Exchanges two names for one another, as fast as can be, until its input ends.

`swapper.py ONE OTHER`. It ends with both where they were. Source: rename(2), RENAME_EXCHANGE.
"""

import ctypes
import os
import select
import sys
import time

AT_FDCWD, RENAME_EXCHANGE = -100, 2
BATCH = 200     # even
PAUSE = 2e-5    # seconds, after half of them: those who look and then act have different speeds

if __name__ == '__main__':
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    one, other = map(os.fsencode, sys.argv[1:])
    print('ready', flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for number in range(BATCH):
            if exchange(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE):
                sys.exit(f'renameat2: {os.strerror(ctypes.get_errno())}')
            if number % 20 < 10:
                time.sleep(PAUSE)
