# SPDX-License-Identifier: MIT
"""`kapturefs doctor`: each thing that would keep a mount from working is found, with its fix."""

import contextlib
import json
import os
import socket
import sqlite3
import subprocess

import pytest

import api as api_module
import harness
from proxy import Proxy


@pytest.fixture
def api(api):
    api.sees_mounting = True
    return api


@pytest.fixture
def patient(tmp_path):
    """A directory in which all is well; calls the doctor on a source."""
    token = harness.write_token(tmp_path)
    home = tmp_path / 'home'
    home.mkdir()

    def call(*arguments, **options):
        options = {'token_file': token, 'cache': tmp_path / 'cache.db', 'connect_timeout': '5',
                   **options}
        return harness.command('doctor', '-o', harness.join_options(options), *arguments,
                               environment={'HOME': str(home), 'XDG_CONFIG_HOME': '',
                                            'LC_ALL': 'C.UTF-8'})
    call.directory = tmp_path
    call.home = home
    call.token = token
    return call


def rows(result):
    """[(sign, name, text, fix)] of what was printed."""
    found = []
    for line in result.stdout.splitlines():
        if not line.startswith(' '):
            continue
        if line[1] != ' ':
            found.append([line[1], line[4:22].strip(), line[24:], ''])
        else:
            found[-1][3] = line.strip().removeprefix('fix: ')
    return [tuple(row) for row in found]


def failures(result):
    return [row[1:] for row in rows(result) if row[0] == '✗']


def test_nothing_is_wrong_where_nothing_is(patient, api):
    result = patient(api.url)
    assert (result.returncode, result.stderr, failures(result)) == (0, '', [])
    names = [name for _, name, _, _ in rows(result)]
    assert names == ['configuration', 'source', '/dev/fuse', 'fusermount3', 'user_allow_other',
                     'kernel', 'confinement', 'open files', 'memory', 'clock', 'cache', 'token',
                     'name', 'connection', 'TLS', 'API']
    assert result.stdout.endswith('\nNothing would keep a mount from working.\n')


def test_api_is_asked_once_for_nobody(patient, api):
    assert patient(api.url).returncode == 0
    assert [request.key for request in api.requests] == [('id', '0')]


def test_nothing_is_changed(patient, api):
    before = sorted(patient.directory.rglob('*'))
    patient(api.url)
    assert sorted(patient.directory.rglob('*')) == before


def test_json_tells_the_same(patient, api):
    told = json.loads(patient('--json', api.url).stdout)
    assert told['works'] is True
    assert {check['verdict'] for check in told['checks']} <= {'ok', 'note'}
    assert [check['name'] for check in told['checks']] == \
        [name for _, name, _, _ in rows(patient(api.url))]
    result = patient('--json', api.url, token_file='/nowhere')
    told = json.loads(result.stdout)
    assert result.returncode == 1 and told['works'] is False
    [failed] = [check for check in told['checks'] if check['verdict'] == 'failed']
    assert failed['name'] == 'token' and 'fix' in failed


def test_token_of_no_file_and_of_others_is_found(patient, api):
    patient.token.chmod(0o644)
    [(name, text, _)] = failures(patient(api.url))
    assert name == 'token' and 'chmod 600' in text
    [(name, text, _)] = failures(patient(api.url, token_file=None))
    assert name == 'token' and 'token_file=PATH' in text
    assert api.requests == []


@pytest.mark.parametrize('around, named', [
    ('"{}"', 'quotation marks'), ('Authorization: Basic {}\r\n', '"Authorization:", "Basic"'),
    ('\ufeff {}', 'a byte order mark, blanks')])
def test_what_was_pasted_around_the_token_is_named(patient, api, around, named):
    patient.token.write_bytes(around.format(harness.TOKEN).encode())
    result = patient(api.url)
    assert (result.returncode, failures(result)) == (0, [])
    [text] = [text for _, name, text, _ in rows(result) if name == 'token']
    assert text.endswith(f'; taken without {named}')


@pytest.mark.parametrize('content, words', [
    (f'"{harness.TOKEN}', 'a quotation mark in it'), (f'Bearer {harness.TOKEN}', 'Bearer'),
    (f'{harness.TOKEN} {harness.TOKEN}', 'a blank in it'),
    (harness.TOKEN.encode('utf-16'), 'UTF-16')])
def test_token_that_may_be_a_mistake_is_found_and_not_sent(patient, api, content, words):
    patient.token.write_bytes(content if isinstance(content, bytes) else content.encode())
    [(name, text, _)] = failures(patient(api.url))
    assert name == 'token' and words in text and harness.TOKEN not in text
    assert api.requests == []


def test_access_that_is_denied_is_not_blamed_on_the_token(patient, api):
    api.respond = lambda request: api_module.Reply(b'<html>denied', 403)
    result = patient(api.url)
    assert result.returncode == 1
    assert 'the API denies access' in result.stdout
    assert 'token' not in result.stdout.split('denies access')[1]


def test_refused_token_is_found(patient, api):
    api.respond = lambda request: api_module.Reply(api_module.REFUSED)
    result = patient(api.url)
    assert result.returncode == 1
    assert failures(result) == [('API', 'it refuses the token', 'ask Kapture for a valid token, '
                                 'and put it into the token file')]
    assert result.stdout.endswith('\n1 thing would keep a mount from working.\n')
    assert len(api.requests) == 1


@pytest.mark.parametrize('reply, text', [
    (api_module.Reply(b'hello', 404), 'HTTP 404'), (api_module.Reply(b'hello'), 'HTTP 200'),
    (api_module.Reply(b'', 503), 'HTTP 503')], ids=['404', 'no JSON', '503'])
def test_server_that_is_not_the_api_is_found(patient, api, reply, text):
    api.respond = lambda request: reply
    [(name, said, fix)] = failures(patient(api.url))
    assert name == 'API' and said.startswith(text) and 'SOURCE' in fix
    assert len(api.requests) == 1


@pytest.mark.parametrize('member', ['Customer Details', 'message'])
def test_sentence_that_is_not_documented_is_shown_and_absent_text_named(patient, api, member):
    body = {member: 'No customer was found,\x1b[31m नहीं', 'status': 'failed'}
    api.respond = lambda request: api_module.Reply(json.dumps(body).encode())
    result = patient(api.url)
    [(name, said, fix)] = failures(result)
    assert name == 'API' and 'No customer was found, [31m नहीं' in said and '(HTTP 200)' in said
    assert 'absent_text=' in fix
    assert result.returncode == 1
    assert len(api.requests) == 1


def test_sentence_that_is_configured_is_an_absence(patient, api):
    api.respond = lambda request: api_module.Reply(
        b'{"Customer Details": "No customer was found.", "status": "failed"}')
    assert failures(patient(api.url, absent_text='no customer was found')) == []


def test_server_that_wants_fewer_requests_is_no_failure(patient, api):
    api.respond = lambda request: api_module.Reply(b'', 429)
    result = patient(api.url)
    assert result.returncode == 0
    assert [row[1] for row in rows(result) if row[0] == '!' and row[1] == 'API'] == ['API']


def test_port_that_nobody_listens_on_is_found(patient):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))    # and does not listen
        result = patient(f'http://127.0.0.1:{taken.getsockname()[1]}')
    [(name, text, fix)] = failures(result)
    assert name == 'connection' and 'refused' in text and 'port' in fix
    assert [row[1] for row in rows(result)][-2:] == ['name', 'connection']


def test_name_that_does_not_exist_is_found(patient):
    [(name, text, fix)] = failures(patient('https://nobody.invalid'))
    assert name == 'name' and text.startswith('nobody.invalid: ') and 'resolv.conf' in fix


def test_certificate_of_nobody_is_found_before_the_token_is_sent(patient):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
                    '-keyout', patient.directory / 'key.pem',
                    '-out', patient.directory / 'cert.pem'],
                   check=True, capture_output=True, timeout=60)
    server = api_module.Api(certificate=(patient.directory / 'cert.pem',
                                         patient.directory / 'key.pem'))
    server.sees_mounting = True
    try:
        [(name, text, fix)] = failures(patient(server.url))
        assert name == 'TLS' and 'certificate' in text and 'cafile=PATH' in fix
        assert server.requests == []
        result = patient(server.url, cafile=patient.directory / 'cert.pem')
        assert (result.returncode, failures(result)) == (0, [])
        assert ('✓', 'TLS', 'the certificate is good', '') in rows(result)
    finally:
        server.close()


def test_proxy_is_what_is_connected_to(patient, api):
    result = patient('http://localhost:9', proxy=api.url)
    assert (result.returncode, failures(result)) == (0, [])
    assert [name for _, name, _, _ in rows(result)][-4:] == ['name of the proxy', 'connection',
                                                             'TLS', 'API']
    assert api.requests[0].path.startswith('http://localhost:9/')


@pytest.mark.parametrize('status, words', [(407, 'it wants a password'),
                                           (403, 'it does not allow this server')])
def test_proxy_that_refuses_is_found_with_its_code(patient, certificate, status, words):
    with contextlib.closing(Proxy(status)) as proxy:
        [(name, text, fix)] = failures(patient('https://127.0.0.1:9', proxy=proxy.url,
                                               cafile=certificate[0]))
        assert name == 'proxy' and 'proxy=URL' in fix
        assert text.startswith(f'the proxy {proxy.place} answers HTTP {status}: {words}')
        assert [request for request in proxy.requests if request] == [('CONNECT', '127.0.0.1:9')]


def test_configuration_that_is_wrong_is_found_with_its_line(patient, api):
    path = patient.home / '.config/kapturefs/config'
    path.parent.mkdir(parents=True)
    path.write_text('ttl = 1\nnonsense = 2\n')
    path.chmod(0o600)
    [(name, text, _)] = failures(patient(api.url))
    assert name == 'configuration' and text.startswith(f'{path}:2: unknown option nonsense')


def test_only_source_of_the_configuration_is_meant_without_one(patient, api):
    path = patient.home / '.config/kapturefs/config'
    path.parent.mkdir(parents=True)
    path.write_text(f'[{api.url}]\nttl = 1\n')
    path.chmod(0o600)
    result = patient()
    assert result.returncode == 0
    assert ('✓', 'configuration', str(path), '') in rows(result)
    assert ('✓', 'source', api.url, '') in rows(result)
    assert len(api.requests) == 1


def test_without_a_source_what_is_of_this_machine_is_checked(patient):
    result = harness.command('doctor', environment={'HOME': str(patient.home),
                                                    'XDG_CONFIG_HOME': '', 'LC_ALL': 'C.UTF-8'})
    assert result.returncode == 0
    skipped = [name for sign, name, _, _ in rows(result) if sign == '-']
    assert skipped == ['source', 'cache', 'token', 'API']
    assert '/dev/fuse' in [name for sign, name, _, _ in rows(result) if sign == '✓']


# The cache


def test_cache_that_a_mount_uses_is_well(patient, mounts, api):
    mount = mounts(api.url)
    result = patient(api.url, cache=mount.options['cache'])
    assert result.returncode == 0
    [text] = [text for _, name, text, _ in rows(result) if name == 'cache']
    assert text == f'{mount.options["cache"]}: in use by a mount, which looks after it'


def test_cache_that_a_mount_has_left_is_whole(patient, mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    mount.close()
    cache = mount.options['cache']
    before = open(cache, 'rb').read()
    [text] = [text for _, name, text, _ in rows(patient(api.url, cache=cache)) if name == 'cache']
    assert text == f'{cache}: whole'
    assert open(cache, 'rb').read() == before
    # Every page but the first, which tells whose file it is.
    with open(cache, 'r+b') as file:
        file.seek(4096)
        file.write(b'\xa5' * (len(before) - 4096))
    sign, _, text, _ = next(row for row in rows(patient(api.url, cache=cache))
                            if row[1] == 'cache')
    assert sign == '!' and 'damaged' in text


@pytest.mark.parametrize('kind', ['text', 'another program'])
def test_cache_that_is_none_is_found(patient, api, kind):
    path = patient.directory / 'other.db'
    if kind == 'text':
        path.write_text('x' * 5000)
    else:
        with sqlite3.connect(path) as database:
            database.execute('CREATE TABLE t (x)')
        database.close()
    path.chmod(0o600)
    before = path.read_bytes()
    [(name, text, _)] = failures(patient(api.url, cache=path))
    assert name == 'cache' and text == f'{path}: no cache of kapturefs'
    assert path.read_bytes() == before


def test_cache_that_others_may_read_is_noted(patient, api):
    path = patient.directory / 'open.db'
    path.write_bytes(b'')
    path.chmod(0o644)
    result = patient(api.url, cache=path)
    assert result.returncode == 0
    assert any(row[0] == '!' and row[1] == 'cache' and 'chmod 600' in row[3]
               for row in rows(result))


# The command


def test_few_open_files_are_noted(patient, api):
    result = subprocess.run(
        ['sh', '-c', 'ulimit -n 100; exec "$0" "$@"', harness.BINARY, 'doctor'],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, 'LC_ALL': 'C.UTF-8', 'HOME': str(patient.home)})
    assert any(row[0] == '!' and row[1] == 'open files' for row in rows(result))


def test_signs_are_ascii_where_the_locale_is(patient, api):
    result = harness.command('doctor', environment={'LC_ALL': 'C', 'HOME': str(patient.home)})
    assert result.stdout.isascii()
    assert ' ok    /dev/fuse' in result.stdout


@pytest.mark.parametrize('arguments', [('a', 'b'), ('--nonsense',), ('-o',)])
def test_command_line_without_sense_is_usage(arguments):
    result = harness.command('doctor', *arguments)
    assert (result.returncode, result.stdout) == (2, '')


def test_help_is_printed():
    result = harness.command('doctor', '--help')
    assert result.returncode == 0 and result.stdout.startswith('usage: kapturefs doctor ')


@pytest.mark.skipif(harness.HAS_SANITIZER, reason='a sanitizer needs more memory than that')
def test_limit_of_memory_is_named_with_what_customers_have_of_it(patient):
    result = subprocess.run(
        ['sh', '-c', 'ulimit -d 102400; exec "$0" "$@"', harness.BINARY, 'doctor'],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, 'LC_ALL': 'C.UTF-8', 'HOME': str(patient.home)})
    row = next(row for row in rows(result) if row[1] == 'memory')
    assert row[0] == '!'
    assert row[2] == ('100 MiB by ulimit -d, so that customers have 38.0 MiB of it instead of '
                      '64.0 MiB')
