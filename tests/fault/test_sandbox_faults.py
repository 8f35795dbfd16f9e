# SPDX-License-Identifier: MIT
"""Each kind of fault as its client sees it, byte by byte, and the ways in which a plan comes in."""

import fcntl
import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import termios
import time
import urllib.error
import urllib.request

import pytest

import harness
from faults import FAULTS

PAGE = pathlib.Path(__file__).resolve().parents[2] / 'man' / 'kapturefs-sandbox.1'
API = '/search-customer-by-customer-id.html'
CLOSED = 'closed'
RESET = 'reset'
OPEN = 'open'


class Client:
    """A connection that shows what has come, and how it ended."""

    def __init__(self, url):
        self.port = int(url.rsplit(':', 1)[1])
        self.socket = socket.create_connection(('127.0.0.1', self.port), 10)
        self.came = b''
        self.pieces = []
        self.end = OPEN

    def ask(self, more='', **members):
        body = json.dumps([members]).encode()
        self.socket.sendall((f'POST {API} HTTP/1.1\r\n'
                             f'Host: localhost:{self.port}\r\n{more}'
                             f'Authorization: Basic {harness.TOKEN}\r\n'
                             f'Content-Length: {len(body)}\r\n\r\n').encode() + body)
        return self

    def read(self, until=None):
        """Read to the end, or until so many bytes have come."""
        while until is None or len(self.came) < until:
            try:
                piece = self.socket.recv(1 << 20)
            except ConnectionResetError:
                self.end = RESET
                break
            if not piece:
                self.end = CLOSED
                break
            self.came += piece
            self.pieces.append((time.monotonic(), len(piece)))
        return self

    def read_whole(self):
        """Read one answer that is as it should be."""
        while b'\r\n\r\n' not in self.came and self.end == OPEN:
            self.read(len(self.came) + 1)
        length = int(re.search(rb'\r\nContent-Length: (\d+)', self.head)[1])
        return self.read(len(self.head) + 4 + length)

    def nothing_comes(self, seconds=0.3):
        """That nothing happens can only be waited for."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1)
        except TimeoutError:
            return True
        return False

    @property
    def head(self):
        return self.came.split(b'\r\n\r\n', 1)[0]

    @property
    def body(self):
        return self.came.split(b'\r\n\r\n', 1)[1]


@pytest.fixture
def sandbox(sandboxes):
    return sandboxes(customers=20)


@pytest.fixture
def honest(sandbox):
    """(id, the body of the honest answer)."""
    id_ = sandbox.customers(2)[1]['id']
    return id_, sandbox.ask(kapture_customer_id=id_)[1]


def client_of(sandbox, id_, **rule):
    sandbox.behave(**rule)
    return Client(sandbox.url).ask(kapture_customer_id=id_)


# Where an answer breaks off

def test_answer_is_cut_behind_so_many_bytes(sandbox, honest):
    client = client_of(sandbox, honest[0], cut_at=10).read()
    assert (client.came, client.end) == (b'HTTP/1.1 2', CLOSED)


@pytest.mark.parametrize('place', ['headers', 'body', 'end'])
def test_answer_is_cut_where_the_place_says(sandbox, honest, place):
    id_, body = honest
    client = client_of(sandbox, id_, cut_at=place).read()
    assert client.end == CLOSED
    if place == 'headers':
        assert b'\r\n\r\n' not in client.came and client.came.startswith(b'HTTP/1.1 200 OK\r\n')
        return
    assert f'Content-Length: {len(body)}'.encode() in client.head
    assert client.body == (body[:len(body) // 2] if place == 'body' else body[:-1])


@pytest.mark.parametrize('place, begin', [(0, b''), ('headers', b'HTTP/1.1 200 OK'),
                                          ('body', b'HTTP/1.1 200 OK')])
def test_connection_is_reset_behind_what_was_sent(sandbox, honest, place, begin):
    client = client_of(sandbox, honest[0], reset_at=place).read()
    assert client.end == RESET
    assert client.came.startswith(begin) and len(client.came) < len(honest[1])


@pytest.mark.parametrize('rule', [{'stall_at': 20}, {'hang': True}])
def test_answer_stalls_and_the_connection_stays(sandbox, honest, rule):
    length = rule.get('stall_at', 0)
    client = client_of(sandbox, honest[0], **rule).read(length)
    assert (len(client.came), client.end) == (length, OPEN)
    assert client.nothing_comes()


def test_half_closed_connection_still_takes_what_the_client_sends(sandbox, honest):
    client = client_of(sandbox, honest[0], half_close_at='body').read()
    assert client.end == CLOSED and client.body == honest[1][:len(honest[1]) // 2]
    # A closed one would answer with a reset.
    client.socket.sendall(b'x')
    client.socket.sendall(b'x')


# What follows an answer

@pytest.mark.parametrize('sequel', ['reply', 'half-reply', 'timeout'])
def test_something_follows_the_answer_and_the_connection_stays(sandbox, honest, sequel):
    client = client_of(sandbox, honest[0], then=sequel).read_whole()
    first = len(client.head) + len(b'\r\n\r\n') + len(honest[1])
    if sequel == 'timeout':
        client.read(first + 30)
        assert client.came[first:].startswith(b'HTTP/1.1 408 ')
    else:
        client.read(first + len(honest[1]) // 2)
        assert client.came[first:].startswith(b'HTTP/1.1 200 OK\r\n')
        if sequel == 'reply':
            assert client.read(len(client.came)).came.endswith(honest[1])
    assert client.end == OPEN


def unacknowledged(connection):
    """How many bytes of what was sent the other side has not acknowledged."""
    count = bytearray(4)
    fcntl.ioctl(connection, termios.TIOCOUTQ, count)
    return int.from_bytes(count, sys.byteorder)


def test_connection_is_deaf_behind_the_answer(sandbox, honest):
    client = client_of(sandbox, honest[0], then='deaf').read_whole()
    client.ask(kapture_customer_id=honest[0])
    assert client.nothing_comes() and unacknowledged(client.socket) > 0
    assert client.end == OPEN


# How fast

def test_answer_drips(sandbox, honest):
    client = client_of(sandbox, honest[0], drip_bytes=500, drip_ms=50)
    length = len(client.read(len(honest[1])).came)
    # A busy client finds several drops at once; what it waited for as a whole stays the same.
    drops = -(-length // 500)
    first, last = client.pieces[0], client.pieces[-1]
    assert all(size % 500 == 0 for _, size in client.pieces[:-1])
    assert last[0] - first[0] > 0.05 * (drops - 1 - first[1] // 500) * 0.8


def test_answer_is_late(sandbox, honest):
    before = time.monotonic()
    client = client_of(sandbox, honest[0], delay_ms=300).read_whole()
    assert time.monotonic() - before >= 0.3 and client.came.endswith(honest[1])


# How it is framed

def test_lengths_are_wrong(sandbox, honest):
    id_, body = honest
    for by in (7, -7):
        sandbox.control('/sandbox/behaviour', {})
        client = client_of(sandbox, id_, length_by=by).read()
        assert f'Content-Length: {len(body) + by}'.encode() in client.head
        assert (client.body, client.end) == (body, CLOSED)


def chunks(text):
    """The chunks of a body; without the last one it is not whole."""
    found = []
    while text:
        size, text = text.split(b'\r\n', 1)
        length = int(size, 16)
        found.append(text[:length])
        text = text[length + 2:]
    return found


def test_framing_is_as_told(sandbox, honest):
    id_, body = honest
    frames = {}
    for framing in ('chunked', 'close', 'wrong-chunk'):
        sandbox.control('/sandbox/behaviour', {})
        frames[framing] = client_of(sandbox, id_, framing=framing).read()
        assert frames[framing].end == CLOSED
    assert b'Transfer-Encoding: chunked' in frames['chunked'].head
    assert b''.join(chunks(frames['chunked'].body)) == body
    assert chunks(frames['chunked'].body)[-1] == b''
    assert b'Content-Length' not in frames['close'].head and frames['close'].body == body
    assert frames['wrong-chunk'].body.startswith(b'f' * 17)


def test_chunks_have_no_end(sandbox, honest):
    client = client_of(sandbox, honest[0], framing='endless').read(8 << 20)
    assert client.end == OPEN and b'\r\n0\r\n' not in client.came
    assert client.came.count(honest[1]) > 1000


def test_headers_are_many(sandbox, honest):
    client = client_of(sandbox, honest[0], interim=5, padding=20,
                       headers={'Retry-After': '7', 'Content-Length': '1'}).read()
    assert client.came.count(b'HTTP/1.1 102 Processing\r\n\r\n') == 5
    assert client.came.count(b'\r\nX-Padding: ') == 20
    assert b'\r\nRetry-After: 7\r\n' in client.came
    assert client.came.count(b'Content-Length: ') == 2


# What it says

def reply_of(sandbox, id_, **rule):
    """(status, headers, body) by a client that believes in HTTP."""
    sandbox.control('/sandbox/behaviour', {})
    sandbox.behave(**rule)
    request = urllib.request.Request(
        sandbox.url + API, json.dumps([{'kapture_customer_id': id_}]).encode(),
        {'Authorization': f'Basic {harness.TOKEN}', 'Content-Type': 'application/json'})
    try:
        with sandbox.opener.open(request, timeout=20) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_answers_are_what_their_names_say(sandbox, honest):
    id_, body = honest

    def said(answer, **more):
        return reply_of(sandbox, id_, answer=answer, **more)[2]
    assert json.loads(said('absent'))['status'] == 'failed'
    assert json.loads(said('refused'))['message'] == 'Invalid Auth Key'
    assert said('empty') == b''
    assert said('html').startswith(b'<!DOCTYPE html>')
    swapped = json.loads(said('swapped'))
    assert (swapped['status'], swapped['Customer Details']['id'] == int(id_)) == ('success', False)
    assert json.loads(said('wrong-types'))['Customer Details'] == \
        [json.loads(body)['Customer Details']]
    assert said('cut-json') == body[:len(body) // 2]
    assert said('twice') == body * 2
    not_utf8 = said('not-utf8')
    with pytest.raises(UnicodeDecodeError):
        not_utf8.decode()
    assert json.loads(not_utf8.decode(errors='replace'))['status'] == 'success'
    deep = json.loads(said('deep', size=77))['Customer Details']['fault']
    assert json.dumps(deep) == '[' * 77 + ']' * 77
    assert len(json.loads(said('many', size=500))['Customer Details']['fault']) == 500
    assert len(json.loads(said('huge', size=500))['Customer Details']['fault']) == 500


def test_bomb_is_small_and_unpacks_to_the_answer(sandbox, honest):
    _, headers, packed = reply_of(sandbox, honest[0], answer='gzip-bomb', size=1 << 24)
    assert headers['Content-Encoding'] == 'gzip' and len(packed) < 1 << 18
    unpacked = subprocess.run(['gzip', '-dc'], input=packed, capture_output=True, check=True).stdout
    assert len(unpacked) == (1 << 24) + len(honest[1]) and unpacked.lstrip() == honest[1]


@pytest.mark.parametrize('status', [204, 302, 400, 401, 403, 404, 418, 429, 500, 503, 599])
def test_status_is_as_told(sandbox, honest, status):
    sandbox.control('/sandbox/behaviour', {})
    client = client_of(sandbox, honest[0], status=status).read(12)
    assert client.came[:12] == f'HTTP/1.1 {status}'.encode()


# Connections

def test_connection_has_the_fate_that_the_rule_says(sandbox, honest):
    sandbox.behave(connection='reset', count=1)
    # The reset may be there before the client knows that it is connected.
    with pytest.raises(ConnectionResetError):
        Client(sandbox.url).socket.recv(1)
    sandbox.behave(connection='close', count=1)
    client = Client(sandbox.url).read()
    assert (client.came, client.end) == (b'', CLOSED)
    sandbox.behave(connection='silence', count=1)
    client = Client(sandbox.url).ask(kapture_customer_id=honest[0])
    assert client.nothing_comes()
    assert Client(sandbox.url).ask(kapture_customer_id=honest[0]).read_whole().body == honest[1]


def test_connection_from_before_the_rule_ends_instead_of_hiding_it(sandbox, honest):
    before = Client(sandbox.url).ask(kapture_customer_id=honest[0]).read_whole()
    assert before.body == honest[1]
    sandbox.behave(connection='reset', skip=10)
    assert before.ask(kapture_customer_id=honest[0]).read().end == CLOSED


@pytest.fixture
def secure(sandboxes, tmp_path):
    """(sandbox with TLS, its authority's file)."""
    authority = tmp_path / 'ca.pem'
    return sandboxes(arguments=['--ca', str(authority)]), authority


def strict_context(authority):
    """Python's own since 3.13."""
    context = ssl.create_default_context(cafile=str(authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def verify(sandbox, authority, host='localhost'):
    """'' for a good handshake, or what is wrong with it; and what the server's certificate says."""
    context = strict_context(authority)
    with socket.create_connection(('127.0.0.1', int(sandbox.url.rsplit(':', 1)[1])), 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host):
                return ''
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        except ssl.SSLError as error:
            return error.reason or 'handshake failed'


def secure_call(sandbox, authority, path, values):
    context = strict_context(authority)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                         urllib.request.HTTPSHandler(context=context))
    with opener.open(urllib.request.Request(sandbox.url + path, json.dumps(values).encode(),
                                            sandbox.headers), timeout=10) as reply:
        return json.loads(reply.read())


def test_certificate_is_good_for_both_names_of_loopback(secure):
    sandbox, authority = secure
    assert sandbox.url.startswith('https://')
    assert [verify(sandbox, authority, host) for host in ('localhost', '127.0.0.1')] == ['', '']
    assert 'Hostname mismatch' in verify(sandbox, authority, 'example.com')


@pytest.mark.parametrize('fate, complaint', [
    ('self-signed', 'self-signed certificate'), ('other-host', 'Hostname mismatch'),
    ('expired', 'certificate has expired'), ('not-yet-valid', 'certificate is not yet valid'),
    ('tls1.1', '')])
def test_certificate_is_wrong_once_and_right_again(secure, fate, complaint):
    sandbox, authority = secure
    secure_call(sandbox, authority, '/sandbox/behaviour', {'connection': fate, 'count': 1})
    wrong = verify(sandbox, authority)
    assert wrong and complaint in wrong
    assert verify(sandbox, authority) == ''


def test_transport_faults_are_inside_tls(secure):
    sandbox, authority = secure
    secure_call(sandbox, authority, '/sandbox/behaviour', {'cut_at': 30})
    context = strict_context(authority)
    client = Client(sandbox.url)
    client.socket = context.wrap_socket(client.socket, server_hostname='localhost')
    assert client.ask(phone='1').read().came == b'HTTP/1.1 200 OK\r\nContent-Type:'


# The plan

def fired(sandbox):
    return [rule['fired'] for rule in sandbox.statistics()['rules']]


def test_statistics_tell_which_rules_fired(sandbox, honest):
    sandbox.control('/sandbox/behaviour', [
        {'name': 'never', 'key': '1', 'status': 500}, {'name': 'once', 'count': 1, 'status': 500},
        {'name': 'odd', 'status': 503, 'probability': 0.5}])
    for _ in range(40):
        sandbox.ask(kapture_customer_id=honest[0])
    rules = {rule['name']: (rule['seen'], rule['fired'])
             for rule in sandbox.statistics()['rules']}
    assert rules['never'] == (0, 0) and rules['once'] == (40, 1)
    assert rules['odd'][0] == 39 and 5 < rules['odd'][1] < 35
    sandbox.control('/sandbox/behaviour', {})
    assert sandbox.statistics()['rules'] == []


def test_dice_are_the_same_for_the_same_seed(sandboxes):
    series = []
    for seed in (1, 1, 2):
        sandbox = sandboxes(seed=seed)
        sandbox.behave(status=503, probability=0.5)
        series.append([sandbox.ask(phone='1')[0] for _ in range(30)])
    assert series[0] == series[1] != series[2]


def test_wrong_plan_is_refused_by_rule_and_member(sandbox, tmp_path):
    status, reply = sandbox.call('/sandbox/behaviour', b'[{}, {"status": 5}]', sandbox.headers)
    assert status == 400
    complaint = json.loads(reply)['message']
    assert complaint == 'rule 2: status: must be a whole number from 200 to 599'
    path = tmp_path / 'plan.json'
    for text, line in (('[{}, {"status": 5}]', complaint), ('', 'must be a JSON array of rules'),
                       (None, 'No such file or directory')):
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        result = harness.command('sandbox', '--port', '0', '--faults', path)
        assert (result.returncode, result.stdout) == (2, '')
        assert result.stderr == f'kapturefs: sandbox: {path}: {line}\n'


def test_example_of_the_page_does_what_it_says(sandboxes, tmp_path):
    example = re.search(r'^\.Pa faults\.json :\n\.Bd -literal.*?\n(.*?)^\.Ed', PAGE.read_text(),
                        re.MULTILINE | re.DOTALL)[1]
    path = tmp_path / 'faults.json'
    path.write_text(example)
    sandbox = sandboxes(arguments=['--faults', str(path)])
    row = next(row for row in sandbox.customers() if row['phone'] and row['email'])
    asked = [sandbox.ask(kapture_customer_id=row['id']) for _ in range(4)]
    assert [status for status, _ in asked].count(429) == 2
    by_phone = Client(sandbox.url).ask('Connection: close\r\n', phone=row['phone']).read()
    assert f'Content-Length: {len(by_phone.body)}' not in by_phone.head.decode()
    ids = [json.loads(sandbox.ask(email_id=row['email'])[1])['Customer Details']['id']
           for _ in range(3)]
    assert ids[0] == int(row['id']) and ids[1:].count(ids[0]) < 2
    # One in ten: by the dice of seed 1, that is not long in coming.
    while not fired(sandbox)[0]:
        sandbox.ask(kapture_customer_id=row['id'])
    assert all(fired(sandbox))


def observe(sandbox, id_):
    """What a client sees of one request: the bytes, the end, is it slow, is it in pieces."""
    before = time.monotonic()
    try:
        client = Client(sandbox.url)
    except ConnectionResetError:
        return b'', RESET, False, False
    client.socket.settimeout(0.7)
    try:
        client.ask('Connection: close\r\n', kapture_customer_id=id_)
        while client.end == OPEN and len(client.came) < 4 << 20 and time.monotonic() < before + 1:
            client.read(len(client.came) + 1)
    except OSError:
        client.end = 'timeout'
    came = re.sub(rb'\r\nDate: [^\r]*', b'', client.came)
    return came, client.end, time.monotonic() - before > 0.4, len(client.pieces) > 10


@pytest.mark.parametrize('planned', [fault for fault in FAULTS
                                     if fault.source == 'http' and fault.is_heard],
                         ids=lambda fault: fault.name)
def test_every_plan_of_the_matrix_reaches_a_client(sandbox, honest, planned):
    """What has been seen is not what an honest sandbox shows; and the sandbox knows."""
    usual = observe(sandbox, honest[0])
    assert usual[0].endswith(honest[1]) and usual[1:] == (CLOSED, False, False)
    # A connection from before is spared, and asks for the counts.
    control = http.client.HTTPConnection('127.0.0.1', int(sandbox.url.rsplit(':', 1)[1]))
    control.connect()
    control.request('POST', '/sandbox/behaviour', json.dumps(planned.plan), sandbox.headers)
    assert control.getresponse().read() == b'{}'
    # Of a rule that fires now and then, one of these does.
    tries = 40 if 'probability' in planned.plan[0] else 1
    assert {observe(sandbox, honest[0]) for _ in range(tries)} != {usual}
    control.request('GET', '/sandbox/statistics', headers=sandbox.headers)
    rules = json.loads(control.getresponse().read())['rules']
    assert all(rule['fired'] for rule in rules)
    control.request('POST', '/sandbox/behaviour', '{}', sandbox.headers)
    assert control.getresponse().read() == b'{}'
    assert observe(sandbox, honest[0]) == usual
