# SPDX-License-Identifier: MIT
"""Connections that are kept: what stands in them is nobody's answer, and their end costs little."""

import concurrent.futures
import contextlib
import time

import pytest

import api as api_module
from api import Reply, customer, found


def reply_bytes(body, status='200 OK', more=b''):
    return (f'HTTP/1.1 {status}\r\nContent-Type: application/json\r\n'
            f'Content-Length: {len(body)}\r\n').encode() + more + b'\r\n' + body


STRANGER = reply_bytes(found(customer(666)).body)

UNASKED = {
    'a whole reply': STRANGER,
    'half a reply': STRANGER[:len(STRANGER) // 2],
    'half a head': STRANGER[:20],
    'two replies': STRANGER * 2,
    'request timeout': reply_bytes(b'', '408 Request Timeout', b'Connection: close\r\n'),
    'absence': reply_bytes(api_module.ABSENT),
    'interim reply': b'HTTP/1.1 103 Early Hints\r\n\r\n',
    'an empty line': b'\r\n',
}


@pytest.fixture(params=['http', 'https'])
def server(request, certificate):
    """An API, and the mount's options for it."""
    is_secure = request.param == 'https'
    made = api_module.Api(certificate=certificate if is_secure else None)
    made.options = {'cafile': str(certificate[0])} if is_secure else {}
    with contextlib.closing(made):
        yield made


def answer_then(server, **more):
    """Customers 1 and 2 exist; after what is said of 1, something more is sent."""
    server.add_numbers([1, 2])

    def respond(request):
        reply = server.honest(request)
        if request.key == ('id', '1'):
            for name, value in more.items():
                setattr(reply, name, value)
        server.all_sent.clear()
        return reply
    server.respond = respond


def name_of(mount, path):
    return (mount / path / 'name').read_text()


def test_connections_are_kept(server, mounts):
    server.add_numbers(range(1, 7))
    mount = mounts(server.url, **server.options)
    for number in range(1, 7):
        assert name_of(mount, f'by-id/{number}') == f'Customer {number}\n'
    assert server.connections == 1


@pytest.mark.parametrize('place', ['later', 'behind'])
@pytest.mark.parametrize('text', UNASKED.values(), ids=UNASKED)
def test_reply_that_nobody_asked_for_is_nobodys_answer(server, mounts, place, text):
    answer_then(server, **{place: text})
    mount = mounts(server.url, **server.options)
    assert name_of(mount, 'by-id/1') == 'Customer 1\n'
    assert server.all_sent.wait(20)
    assert name_of(mount, 'by-phone/9800000002') == 'Customer 2\n'
    assert [request.key for request in server.requests] == [('id', '1'), ('phone', '9800000002')]
    assert [request.connection for request in server.requests] == [1, 2]
    # Nor is it kept for anybody.
    assert sorted(path.name for path in (mount / 'by-id').iterdir()) == ['1', '2']


def test_request_timeout_on_a_kept_connection_is_repeated(server, mounts):
    server.add_numbers([1, 2])
    connections = set()

    def respond(request):
        is_kept = request.connection in connections
        connections.add(request.connection)
        return Reply(b'', 408) if is_kept else server.honest(request)
    server.respond = respond
    mount = mounts(server.url, **server.options)
    for number in (1, 2):
        assert name_of(mount, f'by-id/{number}') == f'Customer {number}\n'
    assert [request.key for request in server.requests] == [('id', '1'), ('id', '2'), ('id', '2')]


def test_request_timeout_on_a_new_connection_is_an_error(server, mounts):
    server.respond = lambda request: Reply(b'', 408)
    mount = mounts(server.url, **server.options)
    with pytest.raises(OSError, match='Input/output error'):
        name_of(mount, 'by-id/1')
    assert len(server.requests) == 1


# The other end is gone, and nobody said so

SILENCE = 2     # seconds that a kept connection may be silent


def read_all(mount, numbers):
    """The names of customers, asked for at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda number: name_of(mount, f'by-id/{number}'), numbers))


def test_kept_connections_that_are_gone_cost_one_silence(server, mounts):
    server.add_numbers(range(1, 20))
    gate = server.gate()

    def respond(request):
        reply = server.honest(request)
        reply.gate = gate
        reply.is_last = request.connection <= 4
        return reply
    server.respond = respond
    mount = mounts(server.url, **server.options)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        together = pool.submit(read_all, mount, range(1, 5))
        server.wait_for(4)
        gate.set()
        assert together.result() == [f'Customer {number}\n' for number in range(1, 5)]
    before = time.monotonic()
    assert name_of(mount, 'by-id/5') == 'Customer 5\n'
    assert read_all(mount, range(6, 12)) == [f'Customer {number}\n' for number in range(6, 12)]
    assert time.monotonic() - before < 2 * SILENCE
    # What was sent into the void was never seen, and nothing was asked twice.
    assert len(server.requests) == 11


def test_server_that_acknowledges_and_takes_its_time_is_asked_once(server, mounts):
    server.add_numbers([1, 2])
    gate = server.hold(('id', '2'))
    mount = mounts(server.url, **server.options)
    assert name_of(mount, 'by-id/1') == 'Customer 1\n'
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(name_of, mount, 'by-id/2')
        # That nothing happens can only be waited for.
        time.sleep(2 * SILENCE)
        assert [request.key for request in server.requests] == [('id', '1'), ('id', '2')]
        gate.set()
        assert slow.result() == 'Customer 2\n'
    assert len(server.requests) == 2 and server.connections == 1
