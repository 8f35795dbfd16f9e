# SPDX-License-Identifier: MIT
"""Mounts, the sandbox and the command line, each ended on every path.

Nothing here waits for time: a mount is ready when it says so, a process has ended when it has. The
limits below only keep a broken program from holding up the run.

A process that waits for a dead file system cannot be killed by its parent's good wishes: the
kernel's abort file for the connection always works, so that is what ends a mount in the last
resort, and what the watchdog of each test uses (see conftest.py).
"""

import ctypes
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request

import pytest

BINARY = os.environ.get('KAPTUREFS', 'kapturefs')
# The program that serves stands beside it.
SERVER = pathlib.Path(os.path.realpath(shutil.which(BINARY) or BINARY)).with_name(
    'kapturefs-sandbox')
READY_SECONDS = 30
END_SECONDS = 30
BUSY_SECONDS = 2
TOKEN = 'dGhlLXNlY3JldC10b2tlbi1vZi10aGUtdGVzdHM='
CONNECTIONS = pathlib.Path('/sys/fs/fuse/connections')
APART = str(pathlib.Path(__file__).resolve().parents[1] / 'apart.sh')

PROGRAM = pathlib.Path(shutil.which(BINARY) or BINARY).read_bytes()

# The thread sanitizer has one of its own in every process.
SANITIZER_THREADS = int(b'__tsan_init' in PROGRAM)
HAS_SANITIZER = b'__tsan_init' in PROGRAM or b'__asan_init' in PROGRAM
del PROGRAM

# What a daemon that is well never writes.
SUSPICIOUS = re.compile(
    r'ERROR: \w*Sanitizer|runtime error:|LeakSanitizer|SUMMARY: \w*Sanitizer|assertion|assert\(|'
    r'stack smashing|corrupted|double free|\bbug\b|core dumped|Segmentation', re.IGNORECASE)

# A test that is about trying again, or about taking turns, says so itself.
OPTIONS = {'retries': '0', 'timeout': '20', 'rate': '10000/s', 'burst': '100000'}


def require_fuse():
    """End the test session where nothing can be mounted: skipped, unless it was asked for."""
    try:
        with open('/dev/fuse', 'rb'):
            pass
    except OSError as error:
        pytest.exit(f'/dev/fuse cannot be used ({error.strerror}); fix: modprobe fuse',
                    returncode=77 if os.environ.get('MOUNT_TESTS') == 'auto' else 1)


def suspicious_lines(log, secrets=()):
    """The lines of a log that a good daemon would not have written."""
    return [line for line in log.splitlines()
            if SUSPICIOUS.search(line) or any(secret in line for secret in secrets)]


def mount_entry(path):
    """(device, source, type, options) of a mount point, without touching it; or None."""
    wanted = str(path).replace('\\', '\\134').replace(' ', '\\040')
    entry = None
    for line in pathlib.Path('/proc/self/mountinfo').read_text().splitlines():
        left, right = line.split(' - ', 1)
        fields = left.split()
        if fields[4] == wanted:
            kind, source, options = right.split(' ', 2)
            entry = (fields[2], source, kind, fields[5] + ',' + options)
    return entry


def abort_connection(device):
    """End a FUSE connection whatever its daemon does: every waiting call fails at once."""
    number = device.split(':')[1]
    if not any(CONNECTIONS.iterdir()) and os.geteuid() == 0:
        subprocess.run(['mount', '-t', 'fusectl', 'fusectl', str(CONNECTIONS)], check=False)
    try:
        (CONNECTIONS / number / 'abort').write_text('1')
    except OSError:
        pass


def unmount_whatever_it_takes(path):
    """Leave no mount and no blocked process behind; never touches the mounted tree."""
    while entry := mount_entry(path):
        abort_connection(entry[0])
        # Killing a mount is no use of its own: what counts is that the entry goes.
        result = subprocess.run(['umount', '-l', str(path)], capture_output=True, check=False)
        if result.returncode:
            subprocess.run(['fusermount3', '-u', '-z', str(path)], capture_output=True, check=False)
        if mount_entry(path) == entry and result.returncode:
            raise AssertionError(f'cannot unmount {path}')


def process_state(pid):
    """The letter of the process's state (a zombie is Z), or None when there is no such process."""
    try:
        status = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except FileNotFoundError:
        return None
    return status.rsplit(')', 1)[1].split()[0]


def children(pid):
    return [int(word) for task in pathlib.Path(f'/proc/{pid}/task').iterdir()
            for word in (task / 'children').read_text().split()]


def program_of(pid):
    return os.path.basename(os.readlink(f'/proc/{pid}/exe'))


def ports_of(pid):
    """The TCP ports at which a process listens."""
    inodes = set()
    for path in pathlib.Path(f'/proc/{pid}/fd').iterdir():
        try:
            inodes.add(os.readlink(path))
        except FileNotFoundError:
            pass
    return [int(fields[1].split(':')[1], 16) for fields in map(str.split, pathlib.Path(
        f'/proc/{pid}/net/tcp').read_text().splitlines()[1:])
        if fields[3] == '0A' and f'socket:[{fields[9]}]' in inodes]


def wait_until(condition, what, seconds=END_SECONDS):
    """For the few facts that nobody announces (a process gone, a mount gone)."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f'never happened: {what}'
        time.sleep(0.005)


def landlock_version():
    """What landlock(7) says; 0 where the kernel has none, or none is switched on."""
    create_ruleset, version = 444, 1
    return max(0, ctypes.CDLL(None).syscall(create_ruleset, None, 0, version))


def keys_of(number):
    """The paths by which a customer of api.add_numbers() is found."""
    return [f'by-id/{number}', f'by-phone/98{number:08}', f'by-email/c{number}@example.com']


def wait_until_stale(mount, key):
    """Return when what is known by a key, a path in the mount, has expired. Asks nobody.

    The kernel's own time begins when it has the processor to take the reply, a little later."""
    def is_stale():
        state = dict(line.split('=', 1) for line in (mount / f'{key}.meta').read_text().split())
        expires = datetime.datetime.fromisoformat(state['expires'])
        late = datetime.datetime.now(datetime.timezone.utc) - expires
        return state['state'] == 'stale' and late.total_seconds() > 0.25
    wait_until(is_stale, f'{key} expires')


class Lines(threading.Thread):
    """Collects what a process writes; tells when a line has come."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream = stream
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        self.start()

    def run(self):
        for line in self.stream:
            with self.changed:
                self.lines.append(line.rstrip('\n'))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, text, seconds=READY_SECONDS):
        """The first line that contains the text; None when the stream ended without it."""
        def found():
            return next((line for line in self.lines if text in line), None)
        with self.changed:
            self.changed.wait_for(lambda: found() or self.ended, seconds)
            return found()

    def text(self):
        with self.changed:
            return '\n'.join(self.lines)


class Sandbox:
    """`kapturefs sandbox` as a process, and its control endpoint."""

    at = {}     # by URL

    @classmethod
    def asked_by_mounting(cls, url):
        if url in cls.at:
            cls.at[url].mount_asks += 1

    def __init__(self, customers=20, seed=1, token=TOKEN, arguments=(), port=0):
        self.token = token
        self.headers = {'Content-Type': 'application/json', 'Authorization': f'Basic {token}'}
        self.process = subprocess.Popen(
            [BINARY, 'sandbox', '--port', str(port), '--customers', str(customers),
             '--seed', str(seed),
             '--token', token, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors='backslashreplace')
        self.output = Lines(self.process.stdout)
        self.log = Lines(self.process.stderr)
        ready = self.output.wait_for('listening on ')
        if not ready:
            self.kill()
            raise AssertionError(f'the sandbox did not start: {self.log.text()}')
        self.url = ready.split('listening on ')[1].split()[0]
        self.mount_asks = 0
        self.at[self.url] = self
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, path, body=None, headers=()):
        """(status, body) of a request; a POST when there is a body."""
        request = urllib.request.Request(self.url + path, body, dict(headers))
        try:
            with self.opener.open(request, timeout=20) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def control(self, path, values=None):
        body = None if values is None else json.dumps(values).encode()
        status, reply = self.call(path, body, self.headers)
        assert status in (200, 204), f'{path}: {status} {reply!r}'
        return json.loads(reply) if reply.strip() else None

    def ask(self, token=None, **members):
        """(status, body) of one Get Customer request."""
        return self.call('/search-customer-by-customer-id.html', json.dumps([members]).encode(), {
            **self.headers, 'Authorization': f'Basic {self.token if token is None else token}'})

    def statistics(self):
        return self.control('/sandbox/statistics')

    def requests(self):
        """How many came but for what mounting asked."""
        return self.statistics()['requests'] - self.mount_asks

    def reset(self):
        self.mount_asks = 0
        self.control('/sandbox/reset', {})

    def behave(self, **values):
        self.control('/sandbox/behaviour', values)

    def change(self, **values):
        self.control('/sandbox/customer', values)

    def customers(self, count=20, start=0):
        return self.control(f'/sandbox/customers?from={start}&count={count}')

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.terminate()
        try:
            status = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f'the sandbox does not end: {self.log.text()}') from None
        self.log.join(END_SECONDS)
        assert suspicious_lines(self.log.text()) == []
        assert status == 0, f'the sandbox ended with {status}: {self.log.text()}'


class Mount:
    """A mount with its daemon in the foreground, so that its log and exit status can be judged."""

    def __init__(self, source, directory, secrets=(), environment=None, arguments=(), **options):
        self.path = pathlib.Path(directory) / 'mnt'
        self.path.mkdir(exist_ok=True)
        self.secrets = [TOKEN, *secrets]
        self.expected_status = 0
        self.source = source
        self.options = {'token_file': write_token(directory), 'cache': f'{directory}/cache.db',
                        **OPTIONS, **options}
        self.process = subprocess.Popen(
            [BINARY, '-f', *arguments, '-o', join_options(self.options), source, str(self.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors='backslashreplace', env={**os.environ, **(environment or {})})
        self.output = Lines(self.process.stdout)
        self.log = Lines(self.process.stderr)
        if not self.log.wait_for('session: mounted'):
            self.kill()
            raise AssertionError(f'did not mount: {self.log.text()}')
        # What mounting asks is not the business of most tests, and must not overlap with theirs.
        if 'mount: asking' in self.log.text() and self.log.wait_for('mount: asked'):
            Sandbox.asked_by_mounting(source)

    def __truediv__(self, name):
        return self.path / name

    def abort(self):
        """Never by a number that was noted earlier: a later mount may have got it."""
        if entry := mount_entry(self.path):
            abort_connection(entry[0])

    def kill(self):
        """End it without judging: the last resort, and for tests of sudden death."""
        self.abort()
        self.process.kill()
        self.process.wait()
        unmount_whatever_it_takes(self.path)

    def wait(self):
        """The daemon's exit status once it has ended."""
        status = self.process.wait(END_SECONDS)
        self.log.join(END_SECONDS)
        self.output.join(END_SECONDS)
        return status

    def unmount(self):
        """As a user would. A test beside this one may look at all mounts just now, as `status`
        does, and so keep each of them busy for a moment; a file that is left open does for good."""
        def is_unmounted():
            result = subprocess.run(['fusermount3', '-u', str(self.path)], capture_output=True,
                                    text=True, timeout=END_SECONDS, check=False)
            assert result.returncode == 0 or 'busy' in result.stderr, result.stderr
            return result.returncode == 0
        wait_until(is_unmounted, f'{self.path} is not busy', seconds=BUSY_SECONDS)

    def close(self):
        """Unmount as a user would, and judge what the daemon leaves behind."""
        try:
            if self.process.poll() is None:
                self.unmount()
            status = self.wait()
            assert suspicious_lines(self.log.text(), self.secrets) == []
            assert status == self.expected_status, f'exit status {status}: {self.log.text()}'
            assert mount_entry(self.path) is None, 'a mount was left behind'
        finally:
            self.kill()


def join_options(options):
    return ','.join(name if value is True else f'{name}={value}'
                    for name, value in options.items() if value is not None)


def write_token(directory, token=TOKEN, mode=0o600):
    path = pathlib.Path(directory) / 'token'
    path.write_text(token + '\n')
    path.chmod(mode)
    return path


def command(*arguments, environment=None, timeout=READY_SECONDS, **more):
    """Run the program to its end: the completed process, its output as text."""
    return subprocess.run([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, **(environment or {})}, **more)


def terminal_text(terminal):
    """What is written to a terminal until its last writer has closed it, and close it here, too.

    One read is not enough: a terminal hands over what was written in pieces, some of them later.
    """
    text = b''
    piece = True
    while piece:
        try:
            piece = os.read(terminal, 65536)
        except OSError:     # the other end is closed
            piece = b''
        text += piece
    os.close(terminal)
    return text.decode()


def errno_of(call, *arguments, **more):
    """The errno with which a call fails, 0 if it does not."""
    try:
        call(*arguments, **more)
    except OSError as error:
        return error.errno
    return 0


def start(*arguments):
    """A process that may come to wait for the mount; end it with finish() or kill it."""
    return subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def in_background(call):
    """A thread that may come to wait for the mount, as long as that is there."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def finish(process, seconds=END_SECONDS):
    """(exit status, output, errors) of a process that must end; it is killed if it does not."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise AssertionError(f'{process.args} did not end') from None
    return process.returncode, output, errors
