# SPDX-License-Identifier: MIT
"""An ordinary user, as far as a test that runs as root can be one."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

import harness

UID = GID = 65534


@contextlib.contextmanager
def home():
    """A directory of the user's with a copy of both programs, a token and an empty `mnt`."""
    with tempfile.TemporaryDirectory(prefix='kapturefs-user-') as name:
        directory = pathlib.Path(name)
        for program, name in ((harness.BINARY, 'kapturefs'), (harness.SERVER, harness.SERVER.name)):
            shutil.copy(program, directory / name)
            (directory / name).chmod(0o755)
        (directory / 'mnt').mkdir()
        harness.write_token(directory)
        directory.chmod(0o755)
        for path in (directory, *directory.iterdir()):
            os.chown(path, UID, GID)
        try:
            yield directory
        finally:
            harness.unmount_whatever_it_takes(directory / 'mnt')


@contextlib.contextmanager
def fuse_for_all():
    """/dev/fuse as udev makes it: for everybody. Containers often have it for root alone."""
    # One at a time: who is done must not take it away from tests that run side by side.
    with open('/dev/fuse', 'rb', buffering=0) as device:
        fcntl.flock(device, fcntl.LOCK_EX)
        mode = stat.S_IMODE(os.fstat(device.fileno()).st_mode)
        os.chmod('/dev/fuse', mode | 0o666)
        try:
            yield
        finally:
            os.chmod('/dev/fuse', mode)


def as_user(*words, sandbox=()):
    """The words of a command to run as the user, in the user's groups alone."""
    return ['setpriv', f'--reuid={UID}', f'--regid={GID}', '--clear-groups', *sandbox, '--',
            *map(str, words)]


def run(*words, **more):
    return subprocess.run(as_user(*words), capture_output=True, text=True, timeout=30, check=False,
                          stdin=subprocess.DEVNULL, **more)


def privileges(pid):
    """What /proc/PID/status says: capability sets as numbers, `NoNewPrivs`, real and other ids."""
    lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
    fields = dict(line.split(':\t', 1) for line in lines if ':\t' in line)
    sets = {name: int(fields[name], 16) for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd',
                                                     'CapAmb')}
    return {**sets, 'NoNewPrivs': int(fields['NoNewPrivs']),
            'Uid': {int(word) for word in fields['Uid'].split()}}
