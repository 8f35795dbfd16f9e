# SPDX-License-Identifier: MIT
"""An HTTP proxy that connects its clients, or refuses them as a test wants it."""

import base64
import socket
import socketserver
import threading


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode().split()
        headers = {}
        while (header := self.rfile.readline().strip()):
            name, value = header.decode().split(':', 1)
            headers[name.lower()] = value.strip()
        self.server.requests.append((line[0], line[1]) if line else ())
        status = self.server.status
        if self.server.password and headers.get('proxy-authorization') != \
                'Basic ' + base64.b64encode(self.server.password.encode()).decode():
            status = 407
        if status is None:
            return      # hangs up
        if status != 200:
            body = b'<html>refused</html>'
            self.wfile.write(f'HTTP/1.1 {status} Refused\r\nProxy-Authenticate: Basic realm="x"\r\n'
                             f'Content-Length: {len(body)}\r\n\r\n'.encode() + body)
            return
        host, port = line[1].rsplit(':', 1)
        with socket.create_connection((host, int(port)), 10) as server:
            self.server.tunnels.append(self.connection)
            self.wfile.write(b'HTTP/1.1 200 Connected\r\n\r\n')
            threading.Thread(target=self.pass_on, args=(server, self.connection),
                             daemon=True).start()
            self.pass_on(self.connection, server)

    @staticmethod
    def pass_on(source, target):
        try:
            while (piece := source.recv(65536)):
                target.sendall(piece)
        except OSError:
            pass
        finally:
            Handler.end(source)
            Handler.end(target)

    @staticmethod
    def end(connection):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass    # it has ended


class Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256    # who finds it full comes again after a second

    def __init__(self, status=200, password=None):
        super().__init__(('127.0.0.1', 0), Handler)
        self.status = status
        self.password = password    # NAME:PASSWORD
        self.requests = []          # (method, target)
        self.tunnels = []           # the clients' ends
        self.place = f'127.0.0.1:{self.server_address[1]}'
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f'http://{self.place}'

    def refuse(self, status):
        """Answer so from now on, None to hang up; and end the connections that there are."""
        self.status = status
        for tunnel in self.tunnels:
            Handler.end(tunnel)
        self.tunnels.clear()

    def close(self):
        self.shutdown()
        self.server_close()
