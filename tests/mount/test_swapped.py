# SPDX-License-Identifier: MIT
"""A user who owns a directory above a mount point exchanges it for a link while the mount ends.

What the link leads to is left alone, and the mount goes, wherever it has been moved to.
"""

import contextlib
import ctypes
import errno
import os
import pathlib
import pwd
import signal
import struct
import subprocess
import sys

import pytest

import harness
import users

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason='needs root, and plays users as well')

ALICE = pwd.getpwnam('daemon').pw_uid      # fusermount3 wants a name
ROUNDS = 25
OPENAT2 = 437       # on every machine
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38

libc = ctypes.CDLL(None)
SWAPPER = pathlib.Path(__file__).resolve().parent / 'swapper.py'


def mounts_below(directory):
    """The mount points there, by whatever names they have at the moment."""
    return [fields[4] for fields in map(str.split, pathlib.Path('/proc/self/mountinfo')
                                        .read_text().splitlines())
            if fields[4].startswith(f'{directory}/')]


class Ground:
    """`mallory/here/mnt` is to be mounted on; `mallory/link` leads to `bait`, which has a `mnt`."""

    def __init__(self, home, owner):
        self.home = home
        self.mallory = home / 'mallory'
        self.mnt = self.mallory / 'here/mnt'
        self.bait = home / 'bait/mnt'
        self.mnt.mkdir(parents=True)
        self.bait.mkdir(parents=True)
        (self.mallory / 'link').symlink_to(self.bait.parent)
        for path in (self.mallory, self.mallory / 'here'):
            os.chown(path, users.UID, users.UID)
            path.chmod(0o755)
        os.chown(self.mnt, owner, owner)
        os.chown(self.bait, owner, owner)

    @contextlib.contextmanager
    def swapped(self):
        """While mallory swaps what is above the mount point."""
        words = [sys.executable, SWAPPER, self.mallory / 'here', self.mallory / 'link']
        process = subprocess.Popen(users.as_user(*words), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == 'ready\n'
            yield
        finally:
            process.stdin.close()
            assert process.wait(harness.END_SECONDS) == 0
            process.stdout.close()


@pytest.fixture
def home():
    with users.home() as directory:
        os.chown(directory, 0, 0)
        os.chown(directory / 'token', 0, 0)
        yield directory


def forget_openat2():
    """As a kernel before 5.6, or a container's filter, has it: ENOSYS. Source: seccomp(2)."""
    class Filter(ctypes.Structure):
        _fields_ = [('length', ctypes.c_ushort), ('steps', ctypes.c_char_p)]

    steps = b''.join(struct.pack('<HBBI', *step) for step in (
        (0x20, 0, 0, 0),                        # load the number of the call
        (0x15, 0, 1, OPENAT2),                  # if it is this one,
        (0x06, 0, 0, 0x00050000 | errno.ENOSYS),    # fail,
        (0x06, 0, 0, 0x7fff0000)))              # else allow it
    program = Filter(len(steps) // 8, steps)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0


def start(home, ground, api, *options, uid=0, **more):
    """A daemon in the foreground."""
    token = home / f'token-{uid}'
    token.write_text(harness.TOKEN)
    token.chmod(0o600)
    os.chown(token, uid, uid)
    words = [str(home / 'kapturefs'), '-f', '-o',
             ','.join(['cache=:memory:', f'token_file={token}', 'offline', *options]),
             api.url, str(ground.mnt)]
    if uid:
        words = ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups', '--', *words]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               cwd='/', env={**os.environ, 'HOME': '/nonexistent'}, **more)
    process.log = harness.Lines(process.stderr)
    assert process.log.wait_for('session: mounted'), process.log.text()
    return process


def mount_bait(ground):
    subprocess.run(['mount', '-t', 'tmpfs', 'bait', ground.bait], check=True, timeout=30)


@pytest.fixture
def ground(home):
    made = Ground(home, 0)
    yield made
    for path in (made.mnt, made.bait):
        harness.unmount_whatever_it_takes(path)


def count(ground):
    """(1 if the bait was taken, 1 if the mount was left); what is left goes."""
    taken = int(harness.mount_entry(ground.bait) is None)
    left = int(harness.mount_entry(ground.mnt) is not None)
    harness.unmount_whatever_it_takes(ground.mnt)
    return taken, left


def end_by_signal(process, _ground):
    process.terminate()


def end_by_command(process, ground):
    """Who names a path through a link means what it leads to: that is told to be none of ours."""
    while process.poll() is None:
        result = subprocess.run([ground.home / 'kapturefs', 'umount', ground.mnt], timeout=60,
                                capture_output=True, text=True, check=False)
        assert result.returncode in (0, 5), result
        if harness.mount_entry(ground.bait) is None:
            process.terminate()


@pytest.mark.parametrize('end', [end_by_signal, end_by_command])
def test_nothing_but_roots_mount_is_unmounted_and_that_always(home, ground, api, end):
    counts = []
    for _ in range(ROUNDS):
        if harness.mount_entry(ground.bait) is None:
            mount_bait(ground)
        process = start(home, ground, api)
        with ground.swapped():
            end(process, ground)
            assert process.wait(harness.END_SECONDS) == 0
        counts.append(count(ground))
    assert [sum(column) for column in zip(*counts)] == [0, 0], f'taken, left of {ROUNDS}'


def test_where_there_is_no_openat2_it_is_the_same(home, ground, api):
    mount_bait(ground)
    for _ in range(5):
        process = start(home, ground, api, preexec_fn=forget_openat2)
        with ground.swapped():
            process.terminate()
            assert process.wait(harness.END_SECONDS) == 0
        assert count(ground) == (0, 0)


def test_nothing_but_roots_mount_goes_with_a_daemon_that_was_killed(home, ground, api):
    mount_bait(ground)
    for _ in range(ROUNDS):
        process = start(home, ground, api, 'auto_unmount')
        with ground.swapped():
            process.kill()
            process.wait(harness.END_SECONDS)
            # A table that is read while names change may lack a line.
            harness.wait_until(lambda: not any(mounts_below(ground.mallory) for _ in range(5)) or
                               not harness.mount_entry(ground.bait), 'it goes')
        assert count(ground) == (0, 0)


def test_nothing_but_a_users_mount_is_unmounted_and_that_always(home, api):
    """The bait is another FUSE file system of hers, which fusermount3 would unmount for her."""
    ground = Ground(home, ALICE)
    counts = []
    with users.fuse_for_all(), contextlib.ExitStack() as stack:
        for _ in range(ROUNDS):
            if harness.mount_entry(ground.bait) is None:
                stack.callback(BaitOfAlice(ground).close)
            process = start(home, ground, api, uid=ALICE)
            with ground.swapped():
                process.send_signal(signal.SIGTERM)
                assert process.wait(harness.END_SECONDS) == 0
            counts.append(count(ground))
    assert [sum(column) for column in zip(*counts)] == [0, 0], f'taken, left of {ROUNDS}'


class BaitOfAlice:
    def __init__(self, ground):
        self.path = ground.bait
        script = (f'import sys; sys.path[:0] = [{str(SWAPPER.parent)!r}]; import tinyfuse; '
                  f'tiny = tinyfuse.TinyFuse({str(ground.bait)!r}); print("ready", flush=True); '
                  'sys.stdin.read()')
        self.process = subprocess.Popen(
            ['setpriv', f'--reuid={ALICE}', f'--regid={ALICE}', '--clear-groups', '--',
             sys.executable, '-c', script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, 'KAPTUREFS': str(ground.home / 'kapturefs'),
                            'PYTHONDONTWRITEBYTECODE': '1'})
        assert self.process.stdout.readline() == 'ready\n'

    def close(self):
        self.process.stdin.close()
        self.process.wait(harness.END_SECONDS)
        self.process.stdout.close()
        harness.unmount_whatever_it_takes(self.path)
