# SPDX-License-Identifier: MIT
"""Mounts of several users side by side, in a mount namespace of their own.

There users may share what they mount (`user_allow_other`), so that a throw-away user can show his
own file system to root and to others, as he can on a machine that allows it.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

import harness
import users

HERE = pathlib.Path(__file__).resolve().parent
MALLORY = users.UID
ALICE = 65533
KAPTUREFS = 999     # the account of the package


class World:
    def __init__(self, directory, stack, source):
        self.home = pathlib.Path(directory)
        self.source = source
        self.stack = stack
        # Nobody's way to his own files may lead through a directory of somebody else's.
        os.chown(self.home, 0, 0)
        for name in ('forger.py', 'tinyfuse.py', 'harness.py'):
            shutil.copy(HERE / name, self.home / name)
        (self.home / 'fuse.conf').write_text('user_allow_other\n')
        passwd = self.home / 'passwd'
        passwd.write_text('root:x:0:0::/root:/bin/sh\n'
                          f'mallory:x:{MALLORY}:{MALLORY}::/nonexistent:/bin/sh\n'
                          f'alice:x:{ALICE}:{ALICE}::/nonexistent:/bin/sh\n'
                          f'kapturefs:x:{KAPTUREFS}:{KAPTUREFS}::/nonexistent:/bin/sh\n')
        script = ('mount --bind "$1/fuse.conf" /etc/fuse.conf && '
                  'mount --bind "$1/passwd" /etc/passwd && echo ready && exec cat')
        self.holder = self.start_with([harness.APART, 'sh', '-c', script, 'sh', str(self.home)])

    def start_with(self, words, **more):
        """A process that says that it is ready, and ends when its input does."""
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True, **more)

        def end():
            process.stdin.close()
            process.wait(harness.END_SECONDS)
            process.stdout.close()
        self.stack.callback(end)
        assert process.stdout.readline() == 'ready\n'
        return process

    def words(self, uid, words):
        as_user = ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups', '--']
        return ['nsenter', '-t', str(self.holder.pid), '-m', '--wd=/',
                *(as_user if uid else []), *map(str, words)]

    def run(self, uid, *words, **more):
        """Run to its end as that user; `kapturefs` is the program, which all may start."""
        words = [self.home / 'kapturefs' if word == 'kapturefs' else word for word in words]
        return subprocess.run(self.words(uid, words), capture_output=True, text=True,
                              timeout=60, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, 'HOME': '/nonexistent'}, **more)

    def place(self, name, uid):
        """An empty directory of that user's, with a token in it."""
        path = self.home / name
        (path / 'mnt').mkdir(parents=True)
        path.chmod(0o755)
        harness.write_token(path)
        for each in (path, *path.iterdir()):
            os.chown(each, uid, uid)
        return path

    def forge(self, name='forged', uid=MALLORY, source=None, pid=1):
        """A file system of that user's own making that calls itself kapturefs of the source."""
        path = self.place(name, uid) / 'mnt'
        self.start_with(self.words(uid, [sys.executable, self.home / 'forger.py', path,
                                         source or self.source, pid]),
                        env={**os.environ, 'KAPTUREFS': str(self.home / 'kapturefs'),
                             'PYTHONDONTWRITEBYTECODE': '1'})
        self.stack.callback(self.run, 0, 'umount', '-l', path)
        return path

    def mount(self, name, uid, *options):
        """kapturefs itself, mounted by that user; ended by its unmounting."""
        place = self.place(name, uid)
        result = self.run(uid, 'kapturefs', '-o', ','.join(
            [f'token_file={place}/token,cache={place}/cache.db', *options]),
            self.source, place / 'mnt')
        assert (result.returncode, result.stderr) == (0, ''), result
        self.stack.callback(self.run, 0, 'kapturefs', 'umount', place / 'mnt')
        return place


@contextlib.contextmanager
def world(source):
    """Ended from the last to the first; the namespace goes with its last process."""
    with users.home() as home, users.fuse_for_all(), contextlib.ExitStack() as stack:
        yield World(home, stack, source)
