# SPDX-License-Identifier: MIT
"""What a command writes where a terminal is its output."""

import contextlib
import os
import pty
import subprocess
import termios


def output_of(words):
    """What a command writes where a terminal is its standard output and standard error."""
    terminal, inner = pty.openpty()
    tty = termios.tcgetattr(inner)
    tty[1] &= ~termios.OPOST
    termios.tcsetattr(inner, termios.TCSANOW, tty)
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=inner, stderr=inner)
    os.close(inner)
    written = b''
    # A terminal that nobody has open any more is an error to read.
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 65536):
            written += piece
    os.close(terminal)
    assert process.wait(30) == 0, written
    return written.decode()
