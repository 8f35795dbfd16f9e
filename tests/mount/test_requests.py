# SPDX-License-Identifier: MIT
"""What the API sees: the documented request, and nothing that was not asked for."""

import errno
import json
import os
import pathlib
import subprocess

import pytest

import api as api_module
import harness


def write_secret(directory, name, text):
    path = pathlib.Path(directory) / name
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize('path, member, value', [
    ('by-id/7', 'kapture_customer_id', '7'),
    ('by-id/0007', 'kapture_customer_id', '7'),
    ('by-phone/+91 93804-91326', 'phone', '919380491326'),
    ('by-email/Foo.Bar+x@Example.COM', 'email_id', 'foo.bar+x@example.com'),
])
def test_request_is_the_documented_one(mounts, api, path, member, value):
    mount = mounts(api.url)
    assert harness.errno_of(os.stat, mount / path) == errno.ENOENT
    request, = api.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert request.path == api_module.PATH
    assert json.loads(request.body) == [{member: value}]
    assert headers['authorization'] == f'Basic {harness.TOKEN}'
    assert headers['content-type'] == 'application/json'
    assert headers['content-length'] == str(len(request.body))
    assert 'cookie' not in headers and 'expect' not in headers


def test_base_url_may_have_a_prefix(mounts, api):
    mount = mounts(api.url + '/tenant/one')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    assert api.requests[0].path == '/tenant/one' + api_module.PATH


def test_extra_headers_are_sent(mounts, api, tmp_path):
    path = write_secret(tmp_path, 'headers', 'x-api-key: k3y\nCookie: JSESSIONID=abc; b=c\n')
    mount = mounts(api.url, header_file=path, secrets=['k3y', 'JSESSIONID=abc'])
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    headers = {name.lower(): value for name, value in api.requests[0].headers.items()}
    assert headers['x-api-key'] == 'k3y'
    assert headers['cookie'] == 'JSESSIONID=abc; b=c'
    assert headers['authorization'] == f'Basic {harness.TOKEN}'


def test_extra_members_of_the_body_are_sent(mounts, api, tmp_path):
    path = write_secret(tmp_path, 'body', '{"source": "files", "n": 1.0, "deep": {"a": [true]}}\n')
    mount = mounts(api.url, body_file=path)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    assert b'1.0' in api.requests[0].body
    assert json.loads(api.requests[0].body) == [
        {'source': 'files', 'n': 1.0, 'deep': {'a': [True]}, 'kapture_customer_id': '7'}]


def test_token_is_sent_as_it_was_issued(mounts, api):
    odd = 'a:b/c+d=='
    api.token = odd
    api.add_numbers([7])
    directory = mounts.directory
    path = harness.write_token(directory, odd)
    mount = mounts(api.url, token_file=path, secrets=[odd])
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_one_connection_serves_requests_that_follow_one_another(mounts, api):
    api.add_numbers(range(1, 21))
    mount = mounts(api.url)
    for number in range(1, 21):
        os.stat(mount / 'by-id' / str(number))
    assert len(api.requests) == 20
    assert api.connections == 1


@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(mounts, api, status):
    elsewhere = api_module.Api()
    try:
        api.respond = lambda request: api_module.Reply(
            b'', status, {'Location': elsewhere.url + api_module.PATH})
        mount = mounts(api.url)
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EPROTO
        assert elsewhere.requests == []
        assert len(api.requests) == 1
    finally:
        elsewhere.close()


PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy',
                   'ALL_PROXY']


def test_proxy_variables_of_the_environment_are_ignored(mounts, api):
    api.add_numbers([7])
    proxy = api_module.Api()
    try:
        mount = mounts(api.url, environment={'no_proxy': '', 'NO_PROXY': '',
                                             **dict.fromkeys(PROXY_VARIABLES, proxy.url)})
        assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
        assert proxy.connections == 0
    finally:
        proxy.close()


def test_proxy_of_the_options_is_used(mounts, api):
    api.add_numbers([7])
    mount = mounts('http://localhost:9', proxy=api.url)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert api.requests[0].path == 'http://localhost:9' + api_module.PATH


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 and its key, of an authority that nobody knows."""
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1',
                    '-keyout', tmp_path / 'key.pem', '-out', tmp_path / 'cert.pem'],
                   check=True, capture_output=True, timeout=60)
    return tmp_path / 'cert.pem', tmp_path / 'key.pem'


@pytest.fixture
def tls_api(certificate):
    server = api_module.Api(certificate=certificate)
    yield server
    server.close()


def test_certificate_of_an_unknown_authority_is_refused_before_anything_is_sent(mounts, tls_api):
    tls_api.add_numbers([7])
    mount = mounts(tls_api.url)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EPROTO
    assert tls_api.requests == []


def test_authority_of_the_options_is_believed(mounts, tls_api, certificate):
    tls_api.add_numbers([7])
    mount = mounts(tls_api.url, cafile=certificate[0])
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_certificate_of_another_host_is_refused(mounts, tls_api, certificate):
    tls_api.add_numbers([7])
    mount = mounts(tls_api.url.replace('127.0.0.1', 'localhost'), cafile=certificate[0])
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EPROTO
    assert tls_api.requests == []


def test_tls_variables_of_the_environment_are_ignored(mounts, tls_api, certificate, tmp_path):
    tls_api.add_numbers([7])
    keys = tmp_path / 'keys.log'
    mount = mounts(tls_api.url, environment={
        'SSL_CERT_FILE': str(certificate[0]), 'SSL_CERT_DIR': str(tmp_path),
        'CURL_CA_BUNDLE': str(certificate[0]), 'SSLKEYLOGFILE': str(keys)})
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EPROTO
    assert tls_api.requests == []
    assert not keys.exists()


def test_nothing_secret_is_visible_from_outside(mounts, api, tmp_path):
    api.add_numbers([424242424])
    path = write_secret(tmp_path, 'headers', 'x-api-key: k3y-of-the-test\n')
    mount = mounts(api.url, header_file=path, arguments=['-d'],
                   secrets=['k3y-of-the-test', '424242424', 'Customer 424242424'])
    assert (mount / 'by-id/424242424/name').read_text() == 'Customer 424242424\n'
    assert (mount / 'by-phone/98424242424/name').read_text() == 'Customer 424242424\n'
    api.respond = lambda request: api_module.Reply(b'{"id": 424242424', 500)
    assert harness.errno_of(os.stat, mount / 'by-phone/987424242424') == errno.EIO
    process = pathlib.Path(f'/proc/{mount.process.pid}')
    for name in ("cmdline", "environ", "comm"):
        content = (process / name).read_bytes()
        assert harness.TOKEN.encode() not in content and b'k3y-of-the-test' not in content
    # The log is searched for the secrets when the mount is closed.
