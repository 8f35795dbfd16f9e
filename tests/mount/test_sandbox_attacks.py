# SPDX-License-Identifier: MIT
"""Who else can reach the sandbox: a page of another site, a name that was rebound, another user.

The page is shown by a browser that runs on the same machine. It sends what it likes to 127.0.0.1,
and the browser tells in Host by which name, and in Origin for which site.
"""

import concurrent.futures
import http.client
import json
import pathlib
import socket

import pytest

import harness

API = '/search-customer-by-customer-id.html'
DAYS = '/select-customer-between-start-and-end-dates.html'
REFUSED = {'message': 'Invalid Auth Key', 'status': 'failed'}
# Every endpoint, what there is none for, and what would be answered if it were obeyed.
ENDPOINTS = {
    'api': ('POST', API, b'[{"phone": "1"}]', 200),
    'days': ('POST', DAYS, b'{}', 400),
    'statistics': ('GET', '/sandbox/statistics', None, 200),
    'customers': ('GET', '/sandbox/customers', None, 200),
    'behaviour': ('POST', '/sandbox/behaviour', b'{"status": 599}', 200),
    'customer': ('POST', '/sandbox/customer', b'{}', 400),
    'reset': ('POST', '/sandbox/reset', b'{}', 200),
    'nothing': ('GET', '/', None, 404),
}
MANY = 30
BODY_SIZE = 8 << 20     # a fault plan may be larger


def port_of(sandbox):
    return int(sandbox.url.rsplit(':', 1)[1])


def request(sandbox, endpoint, headers, token=harness.TOKEN):
    """(status, body) of a request with exactly these headers, and the token unless it is None."""
    method, path, body, _ = ENDPOINTS[endpoint]
    connection = http.client.HTTPConnection('127.0.0.1', port_of(sandbox), timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if token is not None:
        connection.putheader('Authorization', f'Basic {token}')
    connection.putheader('Content-Length', str(len(body or b'')))
    connection.endheaders(body)
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, text


def host(sandbox):
    return 'Host', f'127.0.0.1:{port_of(sandbox)}'


def assert_nothing_was_done(sandbox):
    """Neither obeyed nor counted."""
    statistics = sandbox.statistics()
    assert (statistics['requests'], statistics['rules']) == (1, [])


@pytest.fixture
def asked_once(sandbox):
    sandbox.ask(phone='1')
    return sandbox


@pytest.mark.parametrize('name', [
    'evil.example:{port}', 'evil.example', '127.0.0.1', 'localhost', '127.0.0.1:1', 'localhost:',
    '127.0.0.1.evil.example:{port}', 'localhost.evil.example:{port}', '127.0.0.1:{port}0',
    '127.0.0.1:{port}@evil.example', 'evil.example@127.0.0.1:{port}', '0.0.0.0:{port}',
    '[::]:{port}', '192.168.0.1:{port}', ':{port}', ''])
def test_a_request_to_another_host_is_403_and_not_obeyed(asked_once, name):
    headers = [('Host', name.format(port=port_of(asked_once)))]
    for endpoint in ENDPOINTS:
        assert request(asked_once, endpoint, headers)[0] == 403, endpoint
    assert_nothing_was_done(asked_once)


@pytest.mark.parametrize('endpoint', ENDPOINTS)
def test_a_request_without_a_host_or_with_two_is_not_obeyed(asked_once, endpoint):
    good = host(asked_once)
    for headers in ([], [good, ('Host', 'evil.example')], [('Host', 'evil.example'), good]):
        assert request(asked_once, endpoint, headers)[0] in (400, 403), headers
    assert_nothing_was_done(asked_once)


@pytest.mark.parametrize('origin', [
    'http://evil.example', 'null', '', 'http://127.0.0.1', 'http://localhost:1',
    'https://127.0.0.1:{port}', 'http://127.0.0.1:{port}.evil.example',
    'http://evil.example:{port}', 'file://', 'http://127.0.0.1:{port}, http://evil.example'])
def test_a_page_of_another_site_gets_403_and_is_not_obeyed(asked_once, origin):
    headers = [host(asked_once), ('Origin', origin.format(port=port_of(asked_once)))]
    for endpoint in ENDPOINTS:
        assert request(asked_once, endpoint, headers)[0] == 403, endpoint
    assert_nothing_was_done(asked_once)


def test_a_second_origin_hides_no_foreign_one(asked_once):
    own = ('Origin', asked_once.url)
    for origins in ([own, ('Origin', 'http://evil.example')],
                    [('Origin', 'http://evil.example'), own]):
        assert request(asked_once, 'behaviour', [host(asked_once), *origins])[0] == 403
    assert_nothing_was_done(asked_once)


def test_what_a_browser_asks_before_a_request_is_not_granted(asked_once):
    """OPTIONS, by which a page of another site asks whether it may send a token."""
    connection = http.client.HTTPConnection('127.0.0.1', port_of(asked_once), timeout=20)
    connection.request('OPTIONS', API, headers={
        'Origin': 'http://evil.example', 'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization'})
    reply = connection.getresponse()
    assert reply.status == 403
    assert [name for name, _ in reply.getheaders()
            if name.lower().startswith('access-control-')] == []
    connection.close()


@pytest.mark.parametrize('endpoint', ENDPOINTS)
def test_its_own_names_are_served_with_their_port_whatever_their_case(sandbox, endpoint):
    port = port_of(sandbox)
    for name in ('127.0.0.1', 'localhost', 'LocalHost', '[::1]'):
        headers = [('Host', f'{name}:{port}'), ('Origin', f'http://localhost:{port}')]
        assert request(sandbox, endpoint, headers)[0] in (ENDPOINTS[endpoint][3], 599), name


# The token

@pytest.mark.parametrize('endpoint', ENDPOINTS)
def test_nothing_is_done_without_the_token(asked_once, endpoint):
    tokens = [None, '', 'wrong', harness.TOKEN[:-1], harness.TOKEN + '=']
    is_api = endpoint in ('api', 'days')
    for token in tokens:
        status, reply = request(asked_once, endpoint, [host(asked_once)], token)
        assert (status, json.loads(reply)) == (200 if is_api else 401, REFUSED), token
    statistics = asked_once.statistics()
    refused = len(tokens) if is_api else 0
    assert (statistics['requests'], statistics['refused']) == (1 + refused, refused)
    assert statistics['rules'] == []


def test_a_fault_is_not_for_those_without_the_token(sandbox):
    sandbox.behave(answer='huge')
    status, reply = sandbox.ask(token='wrong', phone='1')
    assert (status, json.loads(reply)) == (200, REFUSED)
    assert sandbox.statistics()['rules'][0]['seen'] == 0
    assert len(sandbox.ask(phone='1')[1]) > 16 << 20


# Memory

class Memory:
    """How much more a process has had at once than when the measuring began, in MiB."""

    def __init__(self, pid):
        self.process = pathlib.Path(f'/proc/{pid}')
        (self.process / 'clear_refs').write_text('5')
        self.before = self.read('VmRSS')

    def read(self, name):
        for line in (self.process / 'status').read_text().splitlines():
            if line.startswith(name + ':'):
                return int(line.split()[1]) >> 10
        raise AssertionError(name)

    def grown(self):
        return self.read('VmHWM') - self.before


def send_a_large_body(sandbox, endpoint, headers):
    """All of it, as one who does not look at the answer."""
    _, path, _, _ = ENDPOINTS[endpoint]
    head = f'POST {path} HTTP/1.1\r\n' + ''.join(f'{name}: {value}\r\n' for name, value in headers)
    piece = bytes(1 << 20)
    with socket.create_connection(('127.0.0.1', port_of(sandbox)), 60) as connection:
        try:
            connection.sendall(f'{head}Content-Length: {BODY_SIZE}\r\n\r\n'.encode())
            for _ in range(BODY_SIZE // len(piece)):
                connection.sendall(piece)
            connection.recv(1)
        except (ConnectionResetError, BrokenPipeError):
            pass


def at_once(call):
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        for result in [pool.submit(call) for _ in range(MANY)]:
            result.result(120)


# A sanitizer keeps what has been freed for a while.
LIMIT_MIB = 64 if not harness.HAS_SANITIZER else 1024


@pytest.mark.parametrize('endpoint', ['api', 'behaviour', 'nothing'])
def test_large_requests_without_the_token_take_no_memory(sandbox, endpoint):
    memory = Memory(sandbox.process.pid)
    at_once(lambda: send_a_large_body(sandbox, endpoint, [host(sandbox)]))
    assert memory.grown() < LIMIT_MIB


def ask_for_large_answer(sandbox, token):
    """Ask, and wait for the beginning only."""
    connection = socket.create_connection(('127.0.0.1', port_of(sandbox)), 60)
    body = b'[{"phone": "1"}]'
    connection.sendall((f'POST {API} HTTP/1.1\r\nHost: 127.0.0.1:{port_of(sandbox)}\r\n'
                        f'Authorization: Basic {token}\r\n'
                        f'Content-Length: {len(body)}\r\n\r\n').encode() + body)
    assert connection.recv(1)
    return connection


LARGE = {
    'huge': {'answer': 'huge', 'size': 1 << 26},
    'many': {'answer': 'many', 'size': 1 << 25},
    'deep': {'answer': 'deep', 'size': 1 << 25},
    'in chunks': {'answer': 'huge', 'size': 1 << 26, 'framing': 'chunked'},
    'sent twice': {'answer': 'huge', 'size': 1 << 26, 'then': 'reply'},
    'padding': {'padding': 100000},
    'a text': {'body': 'x' * (1 << 24)},
    'a text, cut': {'body': 'x' * (1 << 24), 'cut_at': 'end'},
}


@pytest.mark.parametrize('token', [harness.TOKEN, 'wrong'], ids=['token', 'none'])
@pytest.mark.parametrize('rule', LARGE)
def test_large_answers_share_their_memory(sandbox, rule, token):
    sandbox.behave(**LARGE[rule])
    memory = Memory(sandbox.process.pid)
    connections = [ask_for_large_answer(sandbox, token) for _ in range(MANY)]
    assert memory.grown() < LIMIT_MIB
    for connection in connections:
        connection.close()
