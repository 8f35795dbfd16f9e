# SPDX-License-Identifier: MIT
"""Mounting asks once whether the API is there and takes the token, and says what it found."""

import os
import pathlib
import sqlite3
import subprocess
import time

import pytest

import api as api_module
import harness
from harness import TOKEN, command, join_options

QUESTION = ('id', '0')


@pytest.fixture
def api(api):
    api.sees_mounting = True
    return api


@pytest.fixture
def mount(scratch):
    """Mount in the background, as a user does; what is mounted is unmounted at the end."""
    harness.write_token(scratch)

    def call(source, *flags, **options):
        options = {'token_file': scratch / 'token', 'cache': scratch / 'cache.db', **options}
        return command(*flags, '-o', join_options(options), source, scratch / 'mnt')
    yield call
    if harness.mount_entry(scratch / 'mnt'):
        assert unmount(scratch).returncode == 0


def unmount(scratch):
    return command('umount', scratch / 'mnt')


def is_mounted(scratch):
    return harness.mount_entry(scratch / 'mnt') is not None


def warned(result):
    """The one line of a mount that was made and has something wrong with it."""
    assert (result.returncode, result.stdout) == (0, '')
    line, = result.stderr.splitlines()
    assert line.startswith('kapturefs: warning: mounted, but '), line
    assert TOKEN not in line
    return line


def refused(result):
    assert (result.returncode, result.stdout) == (1, '')
    line, = result.stderr.splitlines()
    assert line.startswith('kapturefs: not mounted, because of strict: '), line
    return line


@pytest.fixture
def tls_api(scratch):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
                    '-keyout', scratch / 'key.pem', '-out', scratch / 'cert.pem'],
                   check=True, capture_output=True, timeout=60)
    server = api_module.Api(certificate=(scratch / 'cert.pem', scratch / 'key.pem'))
    yield server
    server.close()


def test_mounting_asks_once_for_nobody_and_says_nothing_when_all_is_ok(mount, api):
    result = mount(api.url)
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
    assert [request.key for request in api.requests] == [QUESTION]


@pytest.mark.parametrize('reply', [api_module.Reply(api_module.REFUSED),
                                   api_module.Reply(b'', 401)], ids=['body', '401'])
def test_refused_token_is_a_warning(mount, scratch, api, reply):
    api.respond = lambda request: reply
    line = warned(mount(api.url))
    assert 'the API refuses the token' in line and str(scratch / 'token') in line
    assert is_mounted(scratch)
    assert [request.key for request in api.requests] == [QUESTION]


def test_host_that_does_not_exist_is_a_warning(mount, scratch):
    line = warned(mount('https://nobody.invalid'))
    assert 'https://nobody.invalid: the name cannot be resolved' in line
    assert is_mounted(scratch)


def test_proxy_that_does_not_exist_is_a_warning(mount, scratch):
    assert "the proxy's name cannot be resolved" in warned(
        mount('https://acme.example', proxy='http://nobody.invalid:3128'))


def test_wrong_certificate_is_a_warning_and_the_token_is_not_sent(mount, scratch, tls_api):
    assert 'certificate' in warned(mount(tls_api.url))
    assert tls_api.mount_asks == [] and tls_api.requests == []
    assert unmount(scratch).returncode == 0
    result = mount(tls_api.url, cafile=scratch / 'cert.pem')
    assert (result.returncode, result.stderr) == (0, '')


@pytest.mark.parametrize('reply', [
    api_module.Reply(b'', 503), api_module.Reply(b'', 429), api_module.Reply(b'<html>', 200),
    api_module.Reply(b'<html>denied', 403)], ids=['503', '429', 'html', '403'])
def test_what_may_pass_is_no_warning(mount, scratch, api, reply):
    api.respond = lambda request: reply
    result = mount(api.url)
    assert (result.returncode, result.stderr) == (0, '')
    assert len(api.requests) == 1


def test_port_at_which_nobody_listens_is_no_warning(mount, scratch, api):
    api.close()
    result = mount(api.url)
    assert (result.returncode, result.stderr) == (0, '')


def test_slow_api_holds_mounting_up_for_a_second_only(mount, scratch, api):
    gate = api.gate()
    api.respond = lambda request: api_module.Reply(api_module.REFUSED, gate=gate)
    start = time.monotonic()
    result = mount(api.url)
    assert time.monotonic() - start < 10
    assert (result.returncode, result.stderr) == (0, '')
    # The question is not dropped: the answer counts when it comes.
    gate.set()
    harness.wait_until(
        lambda: harness.errno_of(os.stat, scratch / 'mnt/by-id/7/name') == 13, 'it is refused')


def test_mount_is_usable_while_it_is_asked(mount, scratch, api):
    gate = api.gate()
    api.add_numbers([7])
    api.respond = lambda request: api_module.Reply(
        **{**vars(api.honest(request)), 'gate': gate if request.key == QUESTION else None})
    process = harness.start(harness.BINARY, '-f', '-o', join_options(
        {'token_file': scratch / 'token', 'cache': scratch / 'cache.db'}), api.url,
        scratch / 'mnt')
    try:
        api.wait_for(1)
        assert (scratch / 'mnt/by-id/7/name').read_text() == 'Customer 7\n'
    finally:
        gate.set()
        unmount(scratch)
        assert harness.finish(process)[0] == 0


def test_mount_in_the_foreground_warns_too(mount, scratch, api):
    api.respond = lambda request: api_module.Reply(api_module.REFUSED)
    process = subprocess.Popen([harness.BINARY, '-f', '-o', join_options(
        {'token_file': scratch / 'token', 'cache': scratch / 'cache.db'}), api.url,
        scratch / 'mnt'], stderr=subprocess.PIPE, text=True)
    log = harness.Lines(process.stderr)
    assert log.wait_for('warning: mounted, but the API refuses the token')
    assert unmount(scratch).returncode == 0
    assert process.wait(30) == 0


# A token that is known


def test_token_by_which_an_answer_came_is_not_asked_about_again(mount, scratch, api):
    for _ in range(3):
        assert mount(api.url).returncode == 0
        assert unmount(scratch).returncode == 0
    assert len(api.requests) == 1


def test_answer_to_anybody_counts(mount, scratch, api):
    api.add_numbers([7])
    api.respond = lambda request: (api_module.Reply(b'', 503) if request.key == QUESTION
                                   else api.honest(request))
    assert mount(api.url).returncode == 0
    assert (scratch / 'mnt/by-id/7/name').read_text() == 'Customer 7\n'
    assert unmount(scratch).returncode == 0
    assert mount(api.url).returncode == 0
    assert [request.key for request in api.requests] == [QUESTION, ('id', '7')]


def test_another_token_is_asked_about(mount, scratch, api):
    assert mount(api.url).returncode == 0
    assert unmount(scratch).returncode == 0
    harness.write_token(scratch, 'YW5vdGhlcg==')
    assert 'refuses the token' in warned(mount(api.url))
    assert len(api.requests) == 2


def test_token_that_was_refused_since_is_asked_about(mount, scratch, api):
    api.add_numbers([7])
    assert mount(api.url).returncode == 0
    api.respond = lambda request: api_module.Reply(api_module.REFUSED)
    assert harness.errno_of(os.stat, scratch / 'mnt/by-id/7/name') == 13
    assert unmount(scratch).returncode == 0
    assert 'refuses the token' in warned(mount(api.url))


def test_cache_keeps_no_token(mount, scratch, api):
    assert mount(api.url).returncode == 0
    assert unmount(scratch).returncode == 0
    for path in scratch.glob('cache.db*'):
        assert TOKEN.encode() not in path.read_bytes()
    with sqlite3.connect(scratch / 'cache.db') as database:
        mark, = database.execute("SELECT value FROM property WHERE name = 'token'").fetchone()
    database.close()
    assert len(mark) == 48 and int(mark, 16)


def test_offline_asks_nobody(mount, scratch, api):
    for strict in (None, True):
        result = mount(api.url, offline=True, strict=strict)
        assert (result.returncode, result.stderr) == (0, '')
        assert unmount(scratch).returncode == 0
    assert api.requests == []


# strict


def test_strict_mounts_what_works(mount, scratch, api):
    result = mount(api.url, strict=True)
    assert (result.returncode, result.stderr) == (0, '')
    assert is_mounted(scratch)
    assert [request.key for request in api.requests] == [QUESTION]


@pytest.mark.parametrize('flags', [(), ('-f',)])
def test_strict_mounts_nothing_with_a_refused_token(mount, scratch, api, flags):
    api.respond = lambda request: api_module.Reply(api_module.REFUSED)
    assert 'the API refuses the token' in refused(mount(api.url, *flags, strict=True))
    assert not is_mounted(scratch)
    assert sorted(os.listdir(scratch)) == ['mnt', 'token']


def test_strict_mounts_nothing_where_the_api_cannot_be_reached(mount, scratch, api, tls_api):
    api.close()
    for source in (api.url, 'https://nobody.invalid', tls_api.url):
        assert source in refused(mount(source, strict=True, retries='0'))
        assert not is_mounted(scratch)


def test_strict_believes_no_earlier_answer(mount, scratch, api):
    assert mount(api.url, strict=True).returncode == 0
    assert unmount(scratch).returncode == 0
    api.close()
    refused(mount(api.url, strict=True, retries='0'))


def test_strict_tries_again_what_may_pass(mount, scratch, api):
    api.reply_in_turn(api_module.Reply(b'', 503), api_module.Reply(api_module.ABSENT))
    assert mount(api.url, strict=True).returncode == 0
    assert len(api.requests) == 2


def test_strict_counts_in_the_configuration(mount, scratch, api):
    api.respond = lambda request: api_module.Reply(api_module.REFUSED)
    path = scratch / 'config'
    path.write_text('strict = yes\n')
    path.chmod(0o600)
    refused(mount(api.url, config=path))
    assert pathlib.Path(scratch / 'mnt').is_dir() and not is_mounted(scratch)
