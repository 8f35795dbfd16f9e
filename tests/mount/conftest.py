# SPDX-License-Identifier: MIT
"""Fixtures: every mount, sandbox and server of a test ends with it, judged, whatever happened."""

import contextlib
import faulthandler
import os
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import api as api_module  # noqa: E402
import harness  # noqa: E402

WATCHDOG_SECONDS = 120


def pytest_sessionstart(session):
    harness.require_fuse()


class Mounts:
    """The mounts of one test."""

    def __init__(self, directory):
        self.directory = directory
        self.all = []

    def __call__(self, source, name='1', **options):
        """Mount below a directory of its own; the same name again means the same cache."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        mount = harness.Mount(source, directory, **options)
        self.all.append(mount)
        return mount

    def abort(self):
        for mount in self.all:
            mount.abort()
            mount.process.kill()

    def close(self):
        with contextlib.ExitStack() as stack:
            for mount in self.all:
                stack.callback(mount.close)


@pytest.fixture
def mounts(tmp_path):
    """Makes mounts. A test that hangs in one of them is freed by the watchdog, and fails."""
    made = Mounts(tmp_path)
    fired = threading.Event()

    def bark():
        fired.set()
        faulthandler.dump_traceback(file=sys.__stderr__)
        made.abort()

    watchdog = threading.Timer(WATCHDOG_SECONDS, bark)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield made
    finally:
        watchdog.cancel()
        made.close()
    assert not fired.is_set(), 'the test hung and its mounts were aborted'


def make_certificate(directory):
    """(certificate, key) for 127.0.0.1; the certificate is its own authority."""
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
                    '-keyout', directory / 'key.pem', '-out', directory / 'cert.pem'],
                   check=True, capture_output=True, timeout=60)
    return directory / 'cert.pem', directory / 'key.pem'


@pytest.fixture(scope='session')
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp('certificate'))


@pytest.fixture(scope='session')
def other_certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp('other-certificate'))


@pytest.fixture
def api():
    server = api_module.Api()
    yield server
    server.close()


@pytest.fixture
def sandboxes():
    with contextlib.ExitStack() as stack:
        def make(**settings):
            sandbox = harness.Sandbox(**settings)
            stack.callback(sandbox.close)
            return sandbox
        yield make


@pytest.fixture
def sandbox(sandboxes):
    return sandboxes()


@pytest.fixture
def scratch(tmp_path):
    """A directory for the command line's tests: nothing may be mounted in it at the end."""
    (tmp_path / 'mnt').mkdir()
    yield tmp_path
    left = [line.split()[4] for line in open('/proc/self/mountinfo', encoding='utf-8')
            if line.split()[4].startswith(str(tmp_path))]
    for path in left:
        harness.unmount_whatever_it_takes(path)
    assert left == [], 'a mount was left behind'
