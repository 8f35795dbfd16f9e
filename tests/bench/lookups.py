# SPDX-License-Identifier: MIT
"""P4 to P6: customers that are not cached, so that the API must be asked."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import harness
import measure

FIELD = 'name'
API_PATH = '/search-customer-by-customer-id.html'


class Lookups:
    """A sandbox that takes its time, and mounts of it that have nothing cached."""

    def __init__(self, customers, latency_ms, **options):
        self.customers = customers
        self.latency_seconds = latency_ms / 1000
        self.options = options

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.directory = pathlib.Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix='kapturefs-bench.')))
            self.sandbox = harness.Sandbox(
                customers=self.customers,
                arguments=['--latency', str(round(self.latency_seconds * 1000))])
            stack.callback(self.sandbox.close)
            self.rows = self.sandbox.customers(self.customers)
            self.mount = None
            self.mounts = 0
            stack.callback(self.unmount)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def unmount(self):
        if self.mount:
            self.mount.close()
            self.mount = None

    def mount_anew(self):
        """A daemon, a kernel and a cache that know nobody."""
        self.unmount()
        self.mounts += 1
        directory = self.directory / str(self.mounts)
        directory.mkdir()
        self.mount = measure.mount(self.sandbox.url, directory, **self.options)


class Crowd(Lookups):
    """P4: many cold customers, 32 at a time.

    Each cat reads 32 of them in turn: starting a process may cost more than a lookup, and is no
    work of ours.
    """

    UNIT = 'customer'
    AT_ONCE = 32

    def __init__(self, customers):
        super().__init__(customers, 50, max_connections=str(self.AT_ONCE))
        self.units = customers

    def run(self):
        paths = b''.join(os.fsencode(self.mount / 'by-id' / row['id'] / FIELD) + b'\0'
                         for row in self.rows)
        costs = measure.Costs(self.mount, self.sandbox)
        with measure.stopwatch() as watch:
            result = subprocess.run(
                ['xargs', '-0', '-n', str(self.AT_ONCE), '-P', str(self.AT_ONCE), 'cat'],
                input=paths, capture_output=True, check=False)
        if result.returncode or result.stderr:
            raise measure.Broken(f'xargs ended with {result.returncode}: {result.stderr[:200]!r}')
        return costs.sample(watch.seconds)

    def run_ideal(self):
        return measure.Sample(self.customers * self.latency_seconds / self.AT_ONCE)

    def contestants(self):
        return {
            'cold': measure.Contestant('kapturefs', self.run, self.mount_anew),
            'ideal': measure.Contestant(f'{self.customers} x 50 ms / {self.AT_ONCE}',
                                        self.run_ideal),
        }


class OneForAll(Lookups):
    """P5: readers of different members of one cold customer, all at once."""

    UNIT = 'reader'
    STACK_SIZE = 256 << 10

    def __init__(self, readers):
        # Long enough for all readers to have begun before the answer comes.
        super().__init__(20, 2000)
        self.units = readers

    def __enter__(self):
        super().__enter__()
        self.id = self.rows[0]['id']
        members = {f'member{number}': str(number) for number in range(self.units - 2)}
        self.sandbox.change(id=self.id, set=members)
        self.wanted = {f'{self.id}/{name}': f'{value}\n' for name, value in members.items()}
        # Names of their own in the kernel, so that the daemon, too, has somebody to make wait.
        self.wanted |= {f'{self.id}.json': None, f'{self.id}.meta': None}
        return self

    def read(self, path, wrong, times):
        begun = time.perf_counter()
        try:
            text = (self.mount / 'by-id' / path).read_text()
            if self.wanted[path] not in (None, text):
                wrong.append(f'{path}: {text!r}')
        except OSError as error:
            wrong.append(str(error))
        times.append((begun, time.perf_counter()))

    def run(self):
        wrong, times = [], []
        before = threading.stack_size(self.STACK_SIZE)
        readers = [threading.Thread(target=self.read, args=(path, wrong, times))
                   for path in self.wanted]
        costs = measure.Costs(self.mount, self.sandbox)
        with measure.stopwatch() as watch:
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
        threading.stack_size(before)
        if wrong or len(times) != self.units:
            raise measure.Broken(f'{len(times)} readers, {len(wrong)} of them wrong: {wrong[:3]}')
        if max(begun for begun, _ in times) > min(ended for _, ended in times):
            raise measure.Broken('the readers did not all wait at once')
        return costs.sample(watch.seconds)

    def run_alone(self):
        return measure.Sample(self.latency_seconds)

    def contestants(self):
        return {
            'readers': measure.Contestant('kapturefs', self.run, self.mount_anew),
            'latency': measure.Contestant('the one answer', self.run_alone),
        }


class Connection:
    """A client that does nothing but send bytes on a connection that stands, and wait."""

    def __init__(self, url):
        address = urllib.parse.urlsplit(url)
        self.host = address.netloc
        self.socket = socket.create_connection((address.hostname, address.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, body):
        self.socket.sendall(
            f'POST {API_PATH} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Basic '
            f'{harness.TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}'
            f'\r\n\r\n'.encode() + body)
        reply = b''
        while (head := reply.find(b'\r\n\r\n')) < 0:
            reply += self.receive()
        length = next(int(line.split(b':')[1]) for line in reply[:head].split(b'\r\n')
                      if line.lower().startswith(b'content-length:'))
        while len(reply) < head + 4 + length:
            reply += self.receive()
        return reply[head + 4:]

    def receive(self):
        if not (piece := self.socket.recv(1 << 16)):
            raise measure.Broken('the sandbox closed the connection')
        return piece

    def close(self):
        self.socket.close()


class One(Lookups):
    """P6: one member of one cold customer, while a connection is warm."""

    UNIT = 'lookup'
    units = 1

    def __init__(self):
        super().__init__(2000, 20)

    def __enter__(self):
        super().__enter__()
        self.mount_anew()
        self.left = iter(self.rows)
        self.connection = Connection(self.sandbox.url)
        self.stack.callback(self.connection.close)
        return self

    def next_customer(self):
        id_ = next(self.left)['id']
        return id_, json.dumps([{'kapture_customer_id': id_}])

    def warm(self):
        """Have the connection of the mount used a moment ago."""
        os.stat(self.mount / 'by-id' / self.next_customer()[0])

    def check(self, id_, text, asked):
        wanted = json.loads(self.sandbox.ask(kapture_customer_id=id_)[1])
        if text != wanted['Customer Details'][FIELD] + '\n':
            raise measure.Broken(f'customer {id_} is called {text!r}')
        if asked != 1:
            raise measure.Broken(f'one lookup took {asked} requests')

    def timed(self, act, decode):
        """The Sample of `act`, which is given an id and a body and returns bytes to decode."""
        id_, body = self.next_customer()
        before = self.sandbox.requests()
        with measure.stopwatch() as watch:
            answer = act(id_, body)
        asked = self.sandbox.requests() - before
        self.check(id_, decode(answer), asked)
        return measure.Sample(watch.seconds, api_requests=asked)

    def cat(self, id_, _):
        return subprocess.run(['cat', self.mount / 'by-id' / id_ / FIELD], check=True,
                              stdout=subprocess.PIPE).stdout

    def read(self, id_, _):
        """What cat does once it runs."""
        descriptor = os.open(f'{self.mount.path}/by-id/{id_}/{FIELD}', os.O_RDONLY)
        text = os.read(descriptor, 1 << 17)
        os.close(descriptor)
        return text

    def curl(self, _, body):
        script = (f'curl --silent --noproxy "*" --header "Authorization: Basic {harness.TOKEN}" '
                  '--header "Content-Type: application/json" --data-raw "$2" "$1" '
                  f'| jq --raw-output \'."Customer Details".{FIELD}\'')
        return subprocess.run(['sh', '-c', script, 'sh', self.sandbox.url + API_PATH, body],
                              check=True, stdout=subprocess.PIPE).stdout

    def server(self, _, body):
        return self.connection.ask(body.encode())

    def contestants(self):
        def details(answer):
            return json.loads(answer)['Customer Details'][FIELD] + '\n'

        def contestant(label, act, decode=bytes.decode):
            return measure.Contestant(label, lambda: self.timed(act, decode), self.warm)
        return {
            'cat': contestant('kapturefs, cat', self.cat),
            'read': contestant('kapturefs, open and read', self.read),
            'curl': contestant('curl | jq', self.curl),
            'server': contestant("the server's own latency", self.server, details),
        }
