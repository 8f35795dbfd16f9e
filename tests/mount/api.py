# SPDX-License-Identifier: MIT
"""An API server that a test holds in its hand.

It shares nothing with the program, not even the sandbox: it sees each request as it came, may hold
its answer back until the test lets it go, and can answer as no honest server would.
"""

import ctypes
import dataclasses
import http.server
import json
import socket
import ssl
import struct
import threading
import time

from harness import TOKEN

PATH = '/search-customer-by-customer-id.html'
PAGE_PATH = '/select-customer-between-start-and-end-dates.html'
ACCOUNT = 1000298
KINDS = {'kapture_customer_id': 'id', 'phone': 'phone', 'email_id': 'email'}
# The customer who cannot exist, for whom doctor asks, and mounting.
MOUNT_KEY = ('id', '0')
ABSENT = (b'{"Customer Details": "Information given by you does not exist in our sytsem.",'
          b'"status": "failed"}')
REFUSED = b'{"message": "Invalid Auth Key","status": "failed"}'


@dataclasses.dataclass
class Request:
    path: str
    headers: dict
    body: bytes
    connection: int
    time: float = dataclasses.field(default_factory=time.monotonic)     # when it came

    @property
    def key(self):
        """(kind, text) of what was asked for."""
        asked = json.loads(self.body)
        if self.path == PAGE_PATH:
            return 'date', asked['createStartDate']
        asked = asked[0]
        return next(((kind, asked[member]) for member, kind in KINDS.items() if asked.get(member)),
                    None)


    @property
    def page(self):
        """(day, offset, limit) of what was asked for."""
        asked = json.loads(self.body)
        return asked['createStartDate'], int(asked['offset']), int(asked['limit'])


SO_ATTACH_FILTER = 26   # <asm/socket.h>
BPF_RET = 0x06


def deafen(connection):
    """Let nothing arrive at a socket any more, and nobody know: as if a router had forgotten it."""
    nothing = ctypes.create_string_buffer(struct.pack('HBBI', BPF_RET, 0, 0, 0))
    program = struct.pack('HP', 1, ctypes.addressof(nothing))
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


@dataclasses.dataclass
class Reply:
    body: bytes = b''
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    gate: threading.Event | None = None   # held back until this is set
    length: int | None = None             # the length that is claimed, where it is not the true one
    endless: bool = False                 # the body over and over, chunked, until the client goes
    behind: bytes = b''                   # sent with the body, in a record without the head
    is_last: bool = False                 # nothing arrives over its connection any more: deafen()
    later: bytes = b''                    # sent by itself; `api.all_sent` tells when


def found(customer):
    """The documented success: the object as text, so that every byte is the test's choice."""
    return Reply(b'{"Customer Details": ' + customer + b', "status": "success"}')


def page(customers, wrap=lambda records: {'message': {'customers': records}}, **members):
    """A page of a day: ids, or whole records; the shape is not documented."""
    records = [record if isinstance(record, dict) else
               {'id': record, 'cmId': ACCOUNT, 'name': f'Customer {record}',
                'contacts': [{'id': record + 500000, 'leadId': record}]} for record in customers]
    return Reply(json.dumps({**wrap(records), **members, 'status': 'success'}).encode())


def customer(number, phone=None, email=None, **members):
    """A small customer as bytes."""
    contact = {'id': number + 500000, 'contactPerson': 'Asha', 'phone': phone or f'98{number:08}',
               'email': email or f'c{number}@example.com', 'isPrimaryContact': True}
    return json.dumps({'id': number, 'cmId': ACCOUNT, 'name': f'Customer {number}',
                       'maxCreditAmt': 0.0, 'contacts': [contact], **members}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    # A reply is one write: without this the second waits for the acknowledgement of the first.
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self):
        super().setup()
        self.connection_number = self.server.api.connected()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        request = Request(self.path, dict(self.headers.items()), body, self.connection_number)
        reply = self.server.api.answer(request)
        if reply is None:
            self.close_connection = True
            return
        try:
            self.send(reply)
        except OSError:
            self.close_connection = True

    do_GET = do_POST

    def send(self, reply):
        if reply.is_last:
            deafen(self.connection)
        self.send_response(reply.status)
        for name, value in {'Content-Type': 'application/json', **reply.headers}.items():
            self.send_header(name, value)
        if reply.endless:
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            while True:
                self.wfile.write(b'%x\r\n%s\r\n' % (len(reply.body), reply.body))
                self.wfile.flush()
        length = len(reply.body) if reply.length is None else reply.length
        self.send_header('Content-Length', str(length))
        self.end_headers()
        if reply.behind:
            self.wfile.flush()
        self.wfile.write(reply.body + reply.behind)
        self.wfile.flush()
        if reply.later:
            self.wfile.write(reply.later)
            self.wfile.flush()
        self.server.api.all_sent.set()
        if length != len(reply.body):
            self.close_connection = True

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass    # a client that went away is no event here; what matters is what it saw


class Api:
    """By default an honest API over `customers`; `respond` is the test's to replace."""

    def __init__(self, token=TOKEN, certificate=None):
        self.token = token
        self.certificate = certificate  # (certificate, key): speak TLS
        self.requests = []
        self.mount_asks = []    # what mounting asks, which is not the business of most tests
        self.sees_mounting = False      # hand it to `respond`, and count it like any other
        self.connections = 0
        self.customers = {}     # (kind, text) -> the object as bytes
        self.days = {}          # YYYY-MM-DD -> the ids of those created on it
        self.gates = []
        self.mistakes = []      # of the test's own code, on the server's threads
        self.respond = self.honest
        self.changed = threading.Condition()
        self.all_sent = threading.Event()   # of a reply and what follows it
        self.held = None        # the port while nobody listens at it, so that no other test does
        self.open()

    def open(self, port=0):
        if self.held:
            self.held.close()
            self.held = None
        self.server = Server(('127.0.0.1', port), Handler)
        self.server.api = self
        self.port = self.server.server_address[1]
        self.url = f'http://127.0.0.1:{self.port}'
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            # The handshake is for the connection's own thread, not for the one that accepts.
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
            self.url = self.url.replace('http:', 'https:')
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        """Refuse connections from now on; what was held back is let go."""
        for gate in self.gates:
            gate.set()
        self.server.shutdown()
        self.server.server_close()
        if not self.held:
            self.held = socket.socket()
            self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.held.bind(('127.0.0.1', self.port))
        assert self.mistakes == []

    def connected(self):
        with self.changed:
            self.connections += 1
            return self.connections

    def add(self, text, *keys):
        """Let the keys, (kind, text) each, find the customer."""
        for key in keys:
            self.customers[key] = text

    def add_numbers(self, numbers, **members):
        for number in numbers:
            self.add(customer(number, **members), ('id', str(number)),
                     ('phone', f'98{number:08}'), ('email', f'c{number}@example.com'))

    def honest(self, request):
        if request.headers.get('Authorization') != f'Basic {self.token}':
            return Reply(REFUSED)
        if request.path == PAGE_PATH:
            day, offset, limit = request.page
            everybody = self.days.get(day, [])
            return page(everybody[offset:offset + limit], totalCount=len(everybody))
        if request.key not in self.customers:
            return Reply(ABSENT)
        return found(self.customers[request.key])

    def last_on_its_connection(self, request):
        reply = self.honest(request)
        reply.headers['Connection'] = 'close'
        return reply

    def answer(self, request):
        respond = self.respond
        with self.changed:
            if request.key == MOUNT_KEY and not self.sees_mounting:
                self.mount_asks.append(request)
                self.connections -= 1
                respond = self.last_on_its_connection
            else:
                self.requests.append(request)
            self.changed.notify_all()
        try:
            reply = respond(request)
        except Exception as mistake:
            self.mistakes.append(mistake)
            raise
        if reply is not None and reply.gate:
            reply.gate.wait()
        return reply

    def reply_in_turn(self, *replies):
        """Each request gets the next reply, the last one for ever."""
        left = list(replies)
        self.respond = lambda request: left.pop(0) if len(left) > 1 else left[0]

    def gate(self):
        """Something to hold replies back with; opened at the end whatever happens."""
        gate = threading.Event()
        self.gates.append(gate)
        return gate

    def hold(self, *keys):
        """Hold back what these keys are answered, and nothing else; returns the gate."""
        gate = self.gate()

        def respond(request):
            reply = self.honest(request)
            if request.key in keys:
                reply.gate = gate
            return reply
        self.respond = respond
        return gate

    def wait_for(self, count, seconds=20):
        """Return when so many requests have come."""
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.requests) >= count, seconds)
        assert came, f'{len(self.requests)} requests came, not {count}'
