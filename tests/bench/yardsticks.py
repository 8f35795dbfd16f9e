# SPDX-License-Identifier: MIT
"""Other file systems in user space that serve a directory, as fast as their options make them.

Both are told to keep names, attributes and contents for as long as the benchmark may take. Neither
touches the user's or the system's configuration: rclone's is an empty file, and sshfs talks to a
server of its own, on a free port of the loopback address, with keys made for the purpose.
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess

import harness
import measure

DEBIAN_SBIN = '/usr/sbin'
SSHD = shutil.which('sshd', path=os.environ.get('PATH', '') + ':' + DEBIAN_SBIN)
SSHD_EMPTY_DIRECTORY = pathlib.Path('/run/sshd')    # sshd insists on it when root starts it
HOUR = '3600'


class Neighbour:
    """A file system that serves `source` at `path` while it is mounted."""

    LABEL = None
    PROGRAMS = ()

    def __init__(self, source, directory):
        self.source = source
        self.directory = directory
        self.path = directory / 'mnt'
        self.process = None
        self.warm_since = None      # measure.caches_dropped() when everything had been read

    @classmethod
    def is_installed(cls):
        return all(cls.PROGRAMS)

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        self.path.mkdir(parents=True)
        self.mount()
        return self

    def __exit__(self, *error):
        self.unmount()

    def mount(self):
        if self.process:
            return
        log = self.directory / 'log'
        with open(log, 'ab') as output:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output)

        def is_settled():
            return harness.mount_entry(self.path) or self.process.poll() is not None
        harness.wait_until(is_settled, f'{self.LABEL} mounts')
        if self.process.poll() is not None:
            self.process = None
            raise AssertionError(f'{self.LABEL} did not mount: {log.read_text()}')

    def unmount(self):
        if not self.process:
            return
        try:
            subprocess.run(['fusermount3', '-u', self.path], check=True, capture_output=True)
            self.process.wait(harness.END_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.process = self.warm_since = None
            harness.unmount_whatever_it_takes(self.path)

    def remount(self):
        self.unmount()
        self.mount()

    def grep(self):
        dropped = measure.caches_dropped()
        seconds = measure.grep(self.path)
        self.warm_since = dropped
        return seconds

    def warm(self):
        """Have the kernel read everything once, unless it has: a pass takes its time."""
        self.mount()
        if self.warm_since != measure.caches_dropped():
            self.grep()


class Rclone(Neighbour):
    """What rclone has cached on disk stays when it is mounted again."""

    LABEL = 'rclone mount'
    PROGRAMS = (shutil.which('rclone'),)

    def command(self):
        configuration = self.directory / 'rclone.conf'
        configuration.touch()
        return ['rclone', 'mount', '--config', configuration, '--cache-dir',
                self.directory / 'cache', '--vfs-cache-mode', 'full', '--vfs-cache-max-age', '24h',
                '--dir-cache-time', '24h', '--attr-timeout', '1h', '--poll-interval', '0',
                '--read-only', self.source, self.path]


class Sshfs(Neighbour):
    """sshfs and the server to which it talks."""

    LABEL = 'sshfs on loopback'
    PROGRAMS = (shutil.which('sshfs'), SSHD)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.directory.mkdir(mode=0o700, parents=True)
            self.port = self.start_server(stack)
            super().__enter__()
            stack.callback(self.unmount)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def key(self, name):
        path = self.directory / name
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path], check=True)
        return path

    def start_server(self, stack):
        if os.geteuid() == 0 and not SSHD_EMPTY_DIRECTORY.exists():
            SSHD_EMPTY_DIRECTORY.mkdir(mode=0o755)
            stack.callback(SSHD_EMPTY_DIRECTORY.rmdir)
        host_key, self.user_key = self.key('host_key'), self.key('user_key')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        settings = {
            'ListenAddress': '127.0.0.1', 'Port': port, 'HostKey': host_key, 'PidFile': 'none',
            'AuthorizedKeysFile': f'{self.user_key}.pub', 'StrictModes': 'no', 'UsePAM': 'no',
            'PasswordAuthentication': 'no', 'PermitRootLogin': 'prohibit-password',
            'Subsystem': 'sftp internal-sftp'}
        log = open(self.directory / 'sshd.log', 'wb')
        stack.callback(log.close)
        server = subprocess.Popen(
            [SSHD, '-D', '-e', '-f', '/dev/null',
             *(word for name, value in settings.items() for word in ('-o', f'{name}={value}'))],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        self.wait_for_server(server, port)
        return port

    def wait_for_server(self, server, port):
        def is_listening():
            if server.poll() is not None:
                raise AssertionError((self.directory / 'sshd.log').read_text())
            with socket.socket() as probe:
                return probe.connect_ex(('127.0.0.1', port)) == 0
        harness.wait_until(is_listening, 'sshd listens')

    def command(self):
        options = {
            'ssh_command': 'ssh -F none', 'port': self.port, 'IdentityFile': self.user_key,
            'IdentitiesOnly': 'yes', 'StrictHostKeyChecking': 'no', 'LogLevel': 'ERROR',
            'UserKnownHostsFile': '/dev/null', 'GlobalKnownHostsFile': '/dev/null',
            'ro': True, 'kernel_cache': True, 'dir_cache': 'yes', 'dcache_timeout': HOUR,
            'dcache_max_size': '10000000', 'entry_timeout': HOUR, 'attr_timeout': HOUR}
        user = pwd.getpwuid(os.geteuid()).pw_name
        return ['sshfs', '-f', f'{user}@127.0.0.1:{self.source}', self.path, '-o',
                harness.join_options(options)]


NEIGHBOURS = {'rclone': Rclone, 'sshfs': Sshfs}
