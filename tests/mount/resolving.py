# SPDX-License-Identifier: MIT
"""A mount whose API has a name, and an /etc/resolv.conf that is replaced while it runs.

Run in namespaces of mounts and networks of its own: there /etc is a copy, and port 53 free.
"""

import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading

import api as api_module
import harness

NAME = 'api.kapturefs.test'
WRONG, RIGHT = '127.0.0.2', '127.0.0.3'
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def bring_loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack('16sh14x', b'lo', IFF_UP))


def answer_names():
    """A server of names that gives every name the address of this machine, and no other of v6."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((RIGHT, 53))

    def serve():
        while True:
            question, asker = server.recvfrom(512)
            end = question.index(b'\0', 12) + 5
            is_v4 = question[end - 4:end - 2] == b'\0\1'
            reply = question[:2] + b'\x81\x80' + struct.pack('>4H', 1, is_v4, 0, 0)
            reply += question[12:end]
            if is_v4:
                reply += b'\xc0\x0c' + struct.pack('>2HIH', 1, 1, 0, 4) + b'\x7f\0\0\1'
            server.sendto(reply, asker)
    threading.Thread(target=serve, daemon=True).start()


def ask(address):
    """Have this server asked, by a file that takes the place of the one before."""
    pathlib.Path('/etc/resolv.conf.new').write_text(f'nameserver {address}\noptions timeout:1\n')
    os.rename('/etc/resolv.conf.new', '/etc/resolv.conf')


def copy_etc(directory):
    subprocess.run(['cp', '-a', '/etc', directory / 'etc'], check=False)
    subprocess.run(['mount', '--bind', directory / 'etc', '/etc'], check=True)
    # It may be a mount of its own, in a container, which cannot be replaced.
    pathlib.Path('/etc/nsswitch.conf').write_text('hosts: files dns\npasswd: files\n')
    ask(WRONG)


def make_certificate(directory):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', f'/CN={NAME}',
                    '-addext', f'subjectAltName=DNS:{NAME}', '-out', directory / 'cert.pem',
                    '-keyout', directory / 'key.pem'], check=True, capture_output=True, timeout=30)
    return directory / 'cert.pem', directory / 'key.pem'


def main(directory):
    bring_loopback_up()
    copy_etc(directory)
    answer_names()
    certificate = make_certificate(directory)
    api = api_module.Api(certificate=certificate)
    api.add_numbers([7, 8])
    url = f'https://{NAME}:{api.url.rsplit(":", 1)[1]}'
    mount = harness.Mount(url, directory, cafile=str(certificate[0]))
    try:
        if harness.errno_of(os.stat, mount / 'by-id/8'):
            print('unknown')
        ask(RIGHT)
        print((mount / 'by-id/7/name').read_text(), end='')
        mount.close()
    finally:
        mount.kill()
        api.close()


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]))
