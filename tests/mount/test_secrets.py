# SPDX-License-Identifier: MIT
"""The token and the customers' data are where they belong and nowhere else."""

import base64
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import api as api_module
import harness
import users

SECRET_HEADER = 'x-secret: UGxhbnRlZEhlYWRlclZhbHVl'
PLANTED = {'name': 'Plantagenet-Value-One', 'city': 'Planted Ćity', 'note': 'Planted free text'}
PHONE = '4915112345670'
EMAIL = 'planted.address@example.net'
NUMBER = 730518264


def secrets():
    """Whatever may not be seen: the token whole, in halves and encoded; header; keys; values."""
    token = harness.TOKEN
    half = len(token) // 2
    return [token, token[:half], token[half:], base64.b64encode(token.encode()).decode(),
            SECRET_HEADER.split(': ')[1], PHONE, EMAIL, str(NUMBER), *PLANTED.values()]


def found_in(data, words):
    return [word for word in words if word.encode() in data]


def files_below(directory):
    return [path for path in pathlib.Path(directory).rglob('*') if path.is_file()]


@pytest.fixture
def busy(scratch, mounts, api):
    """A mount with debug output after every kind of success and failure with planted values."""
    header = scratch / 'header'
    header.write_text(SECRET_HEADER + '\n')
    header.chmod(0o600)
    text = api_module.customer(NUMBER, PHONE, EMAIL, **PLANTED)
    keys = [('id', str(NUMBER)), ('phone', PHONE), ('email', EMAIL)]
    api.add(text, *keys)
    mount = mounts(api.url, arguments=['-d'], header_file=header, timeout='5')
    read_everything(mount)
    refused = api_module.Reply(b'{"message": "Invalid Auth Key","status": "failed"}')
    for reply in (api_module.Reply(b'{"Customer Details": ' + text), api_module.Reply(text, 500),
                  api_module.Reply(text, 302, {'Location': f'https://x/{PHONE}'}),
                  api_module.Reply(text, 400), api_module.Reply(text, 429), None, refused):
        api.respond = lambda request, reply=reply: reply
        for name in ('by-id/9', 'by-phone/49151999', f'by-email/x{EMAIL}'):
            assert harness.errno_of(os.stat, mount / name) != 0
    return mount


def read_everything(mount):
    for name in (f'by-id/{NUMBER}', f'by-phone/{PHONE}', f'by-email/{EMAIL}'):
        for path in files_below(mount / name):
            path.read_bytes()
        assert PLANTED['name'] in (mount / f'{name}.json').read_text()
        (mount / f'{name}.meta').read_bytes()


def test_the_planted_values_are_where_they_belong(busy, api):
    """Otherwise nothing below would prove anything."""
    assert api.requests[0].headers['Authorization'] == f'Basic {harness.TOKEN}'
    assert api.requests[0].headers['x-secret'] == SECRET_HEADER.split(': ')[1]
    assert (busy / f'by-id/{NUMBER}/name').read_text() == PLANTED['name'] + '\n'


def test_log_has_none_of_them_not_even_with_debug_output(busy):
    busy.process.send_signal(signal.SIGHUP)
    assert busy.log.wait_for('config: read again')
    assert 'debug: ' in busy.log.text()
    assert found_in(busy.log.text().encode(), secrets()) == []


def test_control_files_have_none_of_them(busy):
    names = os.listdir(busy / '.kapturefs')
    assert {'metrics', 'version'} <= set(names)
    for name in names:
        assert found_in((busy / '.kapturefs' / name).read_bytes(), secrets()) == [], name


def test_process_shows_none_of_them(busy):
    process = pathlib.Path(f'/proc/{busy.process.pid}')
    for name in ('cmdline', 'environ', 'status', 'comm', 'mountinfo', 'maps'):
        assert found_in((process / name).read_bytes(), secrets()) == [], name


def test_files_outside_of_the_cache_have_none_of_them(busy, scratch):
    own = {scratch / 'header', *(path for path in files_below(scratch)
                                 if path.name == 'token' or path.name.startswith('cache.db'))}
    for path in set(files_below(scratch)) - own:
        if not path.is_relative_to(busy.path):
            assert found_in(path.read_bytes(), secrets()) == [], path


def test_cache_is_for_its_owner_and_holds_no_token(busy, scratch):
    caches = [path for path in files_below(scratch) if path.name.startswith('cache.db')]
    assert caches
    for path in caches:
        assert path.stat().st_mode & 0o777 == 0o600, path
        assert found_in(path.read_bytes(), secrets()[:5]) == [], path


# Cores and other processes

def test_no_core_is_left(busy):
    limits = pathlib.Path(f'/proc/{busy.process.pid}/limits').read_text()
    line = next(line for line in limits.splitlines() if line.startswith('Max core file size'))
    assert line.split()[4:6] == ['0', '0']


@pytest.mark.skipif(os.getuid() != 0, reason='plays another process of the user')
def test_another_process_of_the_user_cannot_look_into_ours(api):
    with users.fuse_for_all(), users.home() as home:
        process = subprocess.Popen(
            users.as_user(home / 'kapturefs', '-f', '-o', f'token_file={home}/token,cache=:memory:',
                          api.url, home / 'mnt'), stderr=subprocess.PIPE, text=True,
            stdin=subprocess.DEVNULL, cwd='/', env={'HOME': str(home), 'PATH': os.environ['PATH']})
        try:
            log = harness.Lines(process.stderr)
            assert log.wait_for('session: mounted'), log.text()
            for name in ('environ', 'mem', 'maps', 'fd'):
                result = users.run('ls', f'/proc/{process.pid}/{name}') if name == 'fd' else \
                    users.run('head', '-c1', f'/proc/{process.pid}/{name}')
                assert result.returncode != 0 and 'Permission denied' in result.stderr, name
        finally:
            process.terminate()
            process.wait()


# The environment

PROXIES = ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']


def test_proxies_of_the_environment_get_no_byte(mounts, api):
    api.add_numbers([7])
    with socket.create_server(('127.0.0.1', 0)) as proxy:
        proxy.setblocking(False)
        url = f'http://127.0.0.1:{proxy.getsockname()[1]}'
        mount = mounts(api.url, environment=dict.fromkeys(PROXIES, url))
        assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_proxy_that_is_asked_for_gets_the_request(mounts):
    """The same listener hears of it, then: the test above can fail."""
    with socket.create_server(('127.0.0.1', 0)) as proxy:
        proxy.settimeout(20)
        port = proxy.getsockname()[1]
        mount = mounts('https://planted.example.com', proxy=f'http://127.0.0.1:{port}', timeout='3')
        reader = harness.start('stat', mount / 'by-id/7')
        connection, _ = proxy.accept()
        with connection:
            assert connection.recv(100).startswith(b'CONNECT planted.example.com:443 ')
        harness.finish(reader)


@pytest.fixture
def certificate(tmp_path):
    paths = tmp_path / 'certificate.pem', tmp_path / 'key.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost',
                    '-addext', 'subjectAltName=IP:127.0.0.1', '-out', paths[0], '-keyout',
                    paths[1]], check=True, capture_output=True, timeout=30)
    return paths


def test_keys_of_tls_are_not_written_for_whoever_sets_the_environment(mounts, tmp_path,
                                                                      certificate):
    api = api_module.Api(certificate=certificate)
    try:
        api.add_numbers([7])
        mount = mounts(api.url, cafile=certificate[0],
                       environment={'SSLKEYLOGFILE': str(tmp_path / 'keys')})
        assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    finally:
        api.close()
    assert not (tmp_path / 'keys').exists()
