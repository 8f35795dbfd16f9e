# SPDX-License-Identifier: MIT
"""What stands between the API and us: content codings, proxies, authorities, open files."""

import concurrent.futures
import contextlib
import errno
import gzip
import os
import resource
import signal
import zlib

import pytest

import api as api_module
import harness
from api import Reply, customer, found
from proxy import Proxy


def name_of(mount, number):
    return (mount / f'by-id/{number}/name').read_text()


def last_cause(mount):
    """The cause of the newest line of the errors page."""
    return (mount / '.kapturefs/errors').read_text().splitlines()[0]


# Content codings

PACKED = {
    'gzip': gzip.compress, 'x-gzip': gzip.compress, 'GZIP': gzip.compress,
    'deflate': zlib.compress, 'utf-8, gzip': gzip.compress,
}
STANDING = ['utf-8', 'UTF8', 'none', 'identity', 'binary', 'json', 'utf-8, identity', '']


@pytest.mark.parametrize('coding', STANDING)
def test_coding_that_is_none_is_read_as_it_stands(mounts, api, coding):
    reply = found(customer(7))
    reply.headers['Content-Encoding'] = coding
    api.respond = lambda request: reply
    assert name_of(mounts(api.url), 7) == 'Customer 7\n'


@pytest.mark.parametrize('coding, pack', PACKED.items(), ids=PACKED)
def test_packed_reply_is_unpacked(mounts, api, coding, pack):
    api.respond = lambda request: Reply(pack(found(customer(7)).body), 200,
                                        {'Content-Encoding': coding})
    assert name_of(mounts(api.url), 7) == 'Customer 7\n'
    assert api.requests[0].headers['Accept-Encoding'] == 'gzip, deflate'


def test_coding_that_is_not_known_is_named_when_nothing_can_be_read(mounts, api):
    api.respond = lambda request: Reply(b'\x1b\x2f\x00\xf8\x8d', 200, {'Content-Encoding': 'br'})
    mount = mounts(api.url)
    assert harness.errno_of(name_of, mount, 7) == errno.EPROTO
    assert 'Content-Encoding is not known: br' in last_cause(mount)


@pytest.mark.parametrize('body', [found(customer(7)).body, gzip.compress(b'{}' * 500)[:-9]],
                         ids=['not packed', 'cut short'])
def test_reply_that_is_not_packed_as_it_says_is_eproto(mounts, api, body):
    api.respond = lambda request: Reply(body, 200, {'Content-Encoding': 'gzip'})
    mount = mounts(api.url)
    assert harness.errno_of(name_of, mount, 7) == errno.EPROTO
    assert 'packed' in last_cause(mount)


# Proxies

@pytest.fixture
def secure(certificate):
    with contextlib.closing(api_module.Api(certificate=certificate)) as made:
        made.add_numbers(range(1, 9))
        yield made


@pytest.fixture
def proxies():
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **more: stack.enter_context(
            contextlib.closing(Proxy(*arguments, **more)))


def test_proxy_connects(mounts, secure, certificate, proxies):
    proxy = proxies(password='asha:secret')
    mount = mounts(secure.url, cafile=str(certificate[0]),
                   proxy=f'http://asha:secret@{proxy.place}')
    assert [name_of(mount, number) for number in (1, 2)] == ['Customer 1\n', 'Customer 2\n']
    assert secure.connections == 1


def test_proxy_is_told_its_password_by_the_configuration(mounts, secure, certificate, proxies,
                                                         tmp_path):
    proxy = proxies(password='asha:secret')
    config = tmp_path / 'config'
    config.touch(0o600)
    config.write_text(f'[{secure.url}]\nproxy = http://asha:secret@{proxy.place}\n')
    mount = mounts(secure.url, cafile=str(certificate[0]), config=config)
    assert name_of(mount, 1) == 'Customer 1\n'


REFUSALS = {
    407: 'HTTP 407: it wants a password',
    403: 'HTTP 403: it does not allow this server',
    502: 'HTTP 502: it cannot reach the server',
    503: 'HTTP 503: it cannot reach the server',
    400: 'HTTP 400: it may be no proxy',
    302: 'HTTP 302: it may be no proxy',
}


@pytest.mark.parametrize('status, words', REFUSALS.items())
def test_proxy_that_refuses_is_named_with_its_code(mounts, secure, certificate, proxies, status,
                                                   words):
    proxy = proxies(status)
    mount = mounts(secure.url, cafile=str(certificate[0]), retries='1',
                   proxy=f'http://asha:secret@{proxy.place}')
    proxy.requests.clear() # what mounting asked
    assert harness.errno_of(name_of, mount, 1) == errno.EHOSTUNREACH
    assert f'the proxy {proxy.place} answers {words}' in last_cause(mount)
    # What is not going to change soon is not tried again.
    assert len(proxy.requests) == (2 if status >= 500 else 1)
    assert secure.requests == []


def test_proxy_that_hangs_up_is_named(mounts, secure, certificate, proxies):
    mount = mounts(secure.url, cafile=str(certificate[0]), proxy=proxies(None).url)
    assert harness.errno_of(name_of, mount, 1) == errno.EHOSTUNREACH
    assert 'proxy' in last_cause(mount)


def test_proxy_that_is_not_there_is_named(mounts, secure, certificate, proxies):
    proxy = proxies()
    mount = mounts(secure.url, cafile=str(certificate[0]), proxy=proxy.url)
    proxy.close()
    assert harness.errno_of(name_of, mount, 1) == errno.EHOSTUNREACH
    assert 'proxy' in last_cause(mount)


def test_proxy_that_wants_a_password_for_http_is_named(mounts, api, proxies):
    proxy = proxies(407)
    mount = mounts(api.url, proxy=proxy.url)
    assert harness.errno_of(name_of, mount, 1) == errno.EHOSTUNREACH
    assert (f'the proxy {proxy.place} answers HTTP 407: it wants a password; write '
            'proxy=http://NAME:PASSWORD@HOST:PORT into the configuration file, mode 600'
            ) in last_cause(mount)


def test_expired_customer_is_shown_while_the_proxy_refuses(mounts, secure, certificate, proxies):
    proxy = proxies()
    mount = mounts(secure.url, cafile=str(certificate[0]), proxy=proxy.url, ttl='1')
    assert name_of(mount, 1) == 'Customer 1\n'
    proxy.status = 407
    mount.close()
    mount = mounts(secure.url, cafile=str(certificate[0]), proxy=proxy.url, ttl='1')
    harness.wait_until(lambda: 'state=stale' in (mount / 'by-id/1.meta').read_text(), 'expiry')
    assert name_of(mount, 1) == 'Customer 1\n'
    assert proxy.requests[-1][0] == 'CONNECT' and len(secure.requests) == 1


# Authorities

@pytest.fixture
def authority(certificate, tmp_path):
    """A file of authorities of a test's own, which it may change."""
    path = tmp_path / 'ca.pem'
    path.write_bytes(certificate[0].read_bytes())
    return path


def write_in_place(path, text):
    path.write_bytes(text)


def replace(path, text):
    other = path.with_name('new.pem')
    other.write_bytes(text)
    other.rename(path)


def swap_link(path, text):
    """As Kubernetes changes what it mounts."""
    other = path.with_name(f'{len(list(path.parent.iterdir()))}.pem')
    other.write_bytes(text)
    path.unlink()
    path.symlink_to(other)


CHANGES = [write_in_place, replace, swap_link]


@pytest.mark.parametrize('change', CHANGES)
def test_renewed_authority_is_taken(mounts, secure, authority, other_certificate, change):
    def respond(request):
        reply = secure.honest(request)
        reply.headers['Connection'] = 'close'
        return reply
    secure.respond = respond
    mount = mounts(secure.url, cafile=str(authority))
    assert name_of(mount, 1) == 'Customer 1\n'
    secure.close()
    secure.certificate = other_certificate
    secure.open(secure.port)
    change(authority, other_certificate[0].read_bytes())
    assert name_of(mount, 2) == 'Customer 2\n'


@pytest.mark.parametrize('change', CHANGES)
def test_withdrawn_authority_is_refused_also_on_a_kept_connection(mounts, secure, authority,
                                                                  other_certificate, change):
    mount = mounts(secure.url, cafile=str(authority))
    assert name_of(mount, 1) == 'Customer 1\n'
    change(authority, other_certificate[0].read_bytes())
    assert harness.errno_of(name_of, mount, 2) == errno.EPROTO
    assert 'authority' in last_cause(mount)
    assert len(secure.requests) == 1
    # And taken when it is there again.
    change(authority, secure.certificate[0].read_bytes())
    assert name_of(mount, 3) == 'Customer 3\n'


def test_authorities_that_cannot_be_seen_for_a_moment_are_as_they_were(mounts, secure, authority):
    mount = mounts(secure.url, cafile=str(authority))
    assert name_of(mount, 1) == 'Customer 1\n'
    text = authority.read_bytes()
    authority.unlink()
    assert name_of(mount, 2) == 'Customer 2\n'
    authority.write_bytes(text)
    assert name_of(mount, 3) == 'Customer 3\n'


def test_sighup_ends_what_was_connected_before(mounts, secure, authority):
    mount = mounts(secure.url, cafile=str(authority))
    assert [name_of(mount, number) for number in (1, 2)] == ['Customer 1\n', 'Customer 2\n']
    assert secure.connections == 1
    mount.process.send_signal(signal.SIGHUP)
    assert mount.log.wait_for('token: taken up')
    assert name_of(mount, 3) == 'Customer 3\n'
    assert secure.connections == 2


# Open files

def open_files(mount):
    """As many as are open before the first number that is free."""
    numbers = {int(name) for name in os.listdir(f'/proc/{mount.process.pid}/fd')}
    return min(set(range(len(numbers) + 1)) - numbers)


def limit_files(mount, limit):
    resource.prlimit(mount.process.pid, resource.RLIMIT_NOFILE, (limit, HARD))


HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def test_soft_limit_of_files_is_raised_to_the_hard_one(mounts, api):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        mount = mounts(api.url)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(mount.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


def test_requests_take_turns_when_files_are_few(mounts, api):
    api.add_numbers(range(1, 41))
    mount = mounts(api.url, max_connections='64')
    os.listdir(mount / 'by-id')
    limit_files(mount, open_files(mount) + 4)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        names = list(pool.map(lambda number: name_of(mount, number), range(1, 41)))
    assert names == [f'Customer {number}\n' for number in range(1, 41)]
    assert api.connections <= 4 and len(api.requests) == 40


def test_running_out_of_files_is_said_and_no_fault_of_the_api(mounts, api):
    api.add_numbers(range(1, 11))
    mount = mounts(api.url)
    os.listdir(mount / 'by-id')
    limit_files(mount, open_files(mount))
    for number in range(1, 10):
        assert harness.errno_of(os.stat, mount / f'by-id/{number}/name') == errno.EMFILE
    limit_files(mount, HARD)
    assert 'EMFILE' in last_cause(mount) and 'LimitNOFILE=' in last_cause(mount)
    # Nothing is held back.
    assert name_of(mount, 10) == 'Customer 10\n'


def test_the_token_does_not_go_in_clear_to_a_proxy_elsewhere(scratch):
    options = {'token_file': harness.write_token(scratch), 'proxy': 'http://192.0.2.1:3128',
               'timeout': '1'}
    result = harness.command('get', '-o', harness.join_options(options), 'http://127.0.0.1:9',
                             'id:1')
    assert result.returncode == 2
    assert 'in clear' in result.stderr and 'https://' in result.stderr
