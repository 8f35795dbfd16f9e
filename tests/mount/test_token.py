# SPDX-License-Identifier: MIT
"""A token that is refused closes the door; another one, or SIGHUP, opens it without a remount."""

import contextlib
import errno
import os
import signal
import time

import pytest

import harness
from metrics import Metrics
from policy import expired, stat_all


def rotate(mount, token, mode=0o600):
    """Put another token into the file, as careful programs do: a new file, renamed."""
    directory = mount.path.parent / 'rotated'
    directory.mkdir(exist_ok=True)
    os.replace(harness.write_token(directory, token, mode), mount.options['token_file'])
    mount.secrets.append(token)


def refuse_all(mount, api):
    """Have the token refused, and seen to be."""
    api.token = 'bm90LXRoZS1vbmUtYmVmb3Jl'
    assert harness.errno_of(os.stat, mount / 'by-id/99') == errno.EACCES


def test_refused_token_is_not_sent_again_and_nothing_expired_is_served(mounts, api):
    api.add_numbers([7])
    mount = expired(mounts, api, [7], retries='3')
    refuse_all(mount, api)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert set(stat_all(mount, [1, '7/name', 8, '9/name']).values()) == {errno.EACCES}
    assert len(api.requests) == 1
    assert Metrics(mount)('api_token_state') == 2
    mount.close()
    lines = [line for line in mount.log.text().splitlines() if 'refuses the token;' in line]
    assert len(lines) == 1


def test_refused_token_is_tried_again_after_half_a_minute_once(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    refuse_all(mount, api)
    end = time.monotonic() + 29
    while time.monotonic() < end:
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EACCES
        time.sleep(0.05)
    assert len(api.requests) == 1
    harness.wait_until(lambda: stat_all(mount, range(1, 9)) and len(api.requests) > 1, 'a probe')
    assert set(stat_all(mount, range(1, 9)).values()) == {errno.EACCES}
    assert len(api.requests) == 2
    assert 30 - 0.1 <= api.requests[1].time - api.requests[0].time < 32


def test_rotated_token_is_taken_up_at_once(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    refuse_all(mount, api)
    rotate(mount, api.token)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert Metrics(mount)('api_token_state') == 0


@pytest.mark.parametrize('around', [
    'Basic {}', '\ufeffAuthorization: Basic {}\r\n', ' "{}"\r', "'{}'\n"])
def test_token_is_taken_as_it_was_pasted(mounts, api, tmp_path, around):
    api.add_numbers([7, 8])
    (tmp_path / 'token').write_bytes(around.format(harness.TOKEN).encode())
    (tmp_path / 'token').chmod(0o600)
    headers = tmp_path / 'headers'
    headers.write_bytes(b'\xef\xbb\xbfx-one: 1\r "x-two: 2"\r')
    headers.chmod(0o600)
    mount = mounts(api.url, token_file=tmp_path / 'token', header_file=headers)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert [api.requests[0].headers.get(name) for name in ('x-one', 'x-two')] == ['1', '2']
    api.token = 'c2Vjb25kIHRva2VuIG9mIHRoZSB0ZXN0'
    (tmp_path / 'token').write_bytes(around.format(api.token).encode())
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'


def test_token_that_was_rotated_before_it_is_refused_is_never_seen_to_be(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    api.token = 'c2Vjb25kIHRva2VuIG9mIHRoZSB0ZXN0'
    rotate(mount, api.token)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == 2


@pytest.mark.parametrize('rewritten', [True, False])
def test_sighup_has_the_api_asked_again(mounts, api, rewritten):
    api.add_numbers([7])
    mount = mounts(api.url)
    refuse_all(mount, api)
    if rewritten:
        rotate(mount, api.token)
    else:
        api.token = harness.TOKEN   # the same token is valid again
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EACCES
    mount.process.send_signal(signal.SIGHUP)
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') == 0, 'the door opens')
    assert len(api.requests) == 2


def test_sighup_takes_a_token_up_that_nobody_missed(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    second = 'c2Vjb25kIHRva2VuIG9mIHRoZSB0ZXN0'
    rotate(mount, second)
    mount.process.send_signal(signal.SIGHUP)
    assert mount.log.wait_for('token: taken up')
    api.token = second
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert len(api.requests) == 2


UNSAFE = {
    'mode': lambda mount, path: rotate(mount, 'c2Vjb25k', 0o644),
    'empty': lambda mount, path: rotate(mount, ''),
    'gone': lambda mount, path: os.unlink(path),
    'a link': lambda mount, path: (os.rename(path, f'{path}.real'),
                                   os.symlink(f'{path}.real', path)),
    'with a blank': lambda mount, path: rotate(mount, f'{harness.TOKEN} {harness.TOKEN}'),
    'a directory': lambda mount, path: (os.unlink(path), os.mkdir(path)),
}


@pytest.mark.parametrize('case', UNSAFE)
def test_token_file_that_is_no_good_keeps_the_old_token_and_is_told_once(mounts, api, case):
    api.add_numbers([7])
    mount = mounts(api.url)
    refuse_all(mount, api)
    path = mount.options['token_file']
    UNSAFE[case](mount, path)
    mount.secrets = [secret for secret in mount.secrets if secret]
    for _ in range(5):
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EACCES
    assert mount.log.wait_for('the old one is kept')
    lines = [line for line in mount.log.text().splitlines() if 'the old one is kept' in line]
    assert len(lines) == 1 and str(path) in lines[0]
    assert len(api.requests) == 1

    with contextlib.suppress(OSError):
        os.rmdir(path)
    rotate(mount, api.token)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


@pytest.mark.parametrize('option', ['token_file', 'header_file', 'body_file', 'cafile', 'cache',
                                    'log_file', 'config'])
@pytest.mark.parametrize('path', ['mnt/x', 'link/x', './mnt/../mnt/x', 'mnt/y', 'to-x'])
def test_files_that_the_mount_would_hide_are_refused(scratch, option, path):
    harness.write_token(scratch / 'mnt').rename(scratch / 'mnt/x')
    (scratch / 'link').symlink_to('mnt')
    (scratch / 'to-x').symlink_to(scratch / 'link/x')
    options = {'token_file': harness.write_token(scratch), 'cache': ':memory:', option: path}
    result = harness.command('-f', '-o', harness.join_options(options), 'http://127.0.0.1:9',
                             scratch / 'mnt', cwd=scratch)
    assert result.returncode == 2
    assert option in result.stderr and 'below the mountpoint' in result.stderr


def test_files_beside_the_mount_are_reached_around_it(scratch, api):
    """Named from a working directory, or by links, that lead through the mount."""
    api.add_numbers([7, 8])
    harness.write_token(scratch)
    for name, content in (('headers', 'x-one: 1\n'), ('body', '{}')):
        (scratch / name).write_text(content)
        (scratch / name).chmod(0o600)
    (scratch / 'config').write_text('token_file = mnt/.././token\nttl = 1000\n')
    (scratch / 'config').chmod(0o600)
    (scratch / 'link').symlink_to('mnt/..')
    options = 'config=../config,header_file=../link/headers,body_file=../mnt/../body,cache=../c.db'
    process = harness.subprocess.Popen(
        [harness.BINARY, '-f', '-o', options, api.url, '.'], cwd=scratch / 'mnt',
        stderr=harness.subprocess.PIPE, text=True)
    log = harness.Lines(process.stderr)
    try:
        assert log.wait_for('session: mounted')
        assert (scratch / 'mnt/by-id/7/name').read_text() == 'Customer 7\n'
        process.send_signal(signal.SIGHUP)
        assert log.wait_for('config: read again') and log.wait_for('token: taken up')
        (scratch / 'config').write_text('token_file = mnt/token\n')
        process.send_signal(signal.SIGHUP)
        assert log.wait_for('below the mountpoint')
        assert (scratch / 'mnt/by-id/8/name').read_text() == 'Customer 8\n'
        api.token = 'c2Vjb25kIHRva2VuIG9mIHRoZSB0ZXN0'
        harness.write_token(scratch, api.token)
        assert harness.errno_of(os.stat, scratch / 'mnt/by-id/9') == errno.ENOENT
    finally:
        harness.unmount_whatever_it_takes(scratch / 'mnt')
        process.wait(20)
    assert process.returncode == 0


@pytest.mark.parametrize('through_a_link', [True, False])
def test_token_file_that_the_mount_would_hide_is_refused(scratch, through_a_link):
    path = harness.write_token(scratch / 'mnt')
    if through_a_link:
        (scratch / 'link').symlink_to(scratch / 'mnt')
        path = scratch / 'link' / 'token'
    result = harness.command('-f', '-o', f'token_file={path},cache=:memory:', 'http://127.0.0.1:9',
                             scratch / 'mnt')
    assert result.returncode == 2
    assert 'token_file' in result.stderr and 'below the mountpoint' in result.stderr
