# SPDX-License-Identifier: MIT
"""What is believed of the kernel, and on what one truth rests: seen on the kernel at hand.

In each test the kernel is first seen to believe what it was told. A change of the kernel's ways is
a failure here, and not a riddle elsewhere.
"""

import contextlib
import errno
import os
import threading

import pytest

import harness
import tinyfuse
from tinyfuse import LONG, ROOT, Asked, Node, directory, link

FILE, NEW, LINK, BELOW = 2, 3, 4, 5
GETATTR = Asked('getattr', FILE)
GETATTR_OF_READ = Asked('getattr', FILE, by_read=True)


@pytest.fixture
def fs(tmp_path):
    made = tinyfuse.TinyFuse(tmp_path)
    watchdog = threading.Timer(60, lambda: harness.unmount_whatever_it_takes(tmp_path))
    watchdog.start()
    try:
        made.add('file', FILE, Node(b'old value'))
        os.stat(tmp_path)
        made.take()
        yield made
    finally:
        watchdog.cancel()
        made.close()


@contextlib.contextmanager
def opened(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        # Of an inode that is spoilt the kernel says so, and closes it all the same.
        with contextlib.suppress(OSError):
            os.close(descriptor)


@contextlib.contextmanager
def opened_and_read(fs, name='file'):
    """A descriptor of a file that the kernel knows all of, so that nothing is asked for it."""
    with opened(fs / name) as descriptor:
        os.pread(descriptor, 100, 0)
        fs.take()
        os.pread(descriptor, 100, 0)
        os.fstat(descriptor)
        os.stat(fs / name)
        assert fs.take() == []
        yield descriptor


# Attributes

def test_read_asks_for_attributes_with_a_handle_and_nobody_else_does(fs):
    with opened_and_read(fs) as descriptor:
        for call, asked in ((lambda: os.pread(descriptor, 100, 0), GETATTR_OF_READ),
                            (lambda: os.fstat(descriptor), GETATTR),
                            (lambda: os.stat(fs / 'file'), GETATTR),
                            (lambda: os.close(os.open(fs / 'file', os.O_RDONLY)), GETATTR)):
            fs.expire(FILE)
            call()
            assert fs.take() == [asked]


def test_pages_stay_when_only_the_attributes_are_expired(fs):
    """... and the size and time are those of before."""
    with opened_and_read(fs) as descriptor:
        fs.expire(FILE)
        assert os.pread(descriptor, 100, 0) == b'old value'
        assert Asked('read', FILE) not in fs.take()


def test_splice_reads_what_it_has_without_attributes(fs):
    """As cp and cat of some versions do: so a node must never have two values."""
    with opened_and_read(fs) as descriptor:
        reader, writer = os.pipe()
        with open(reader, 'rb', buffering=0) as pipe:
            fs.expire(FILE)
            assert os.splice(descriptor, writer, 100, offset_src=0) == len(b'old value')
            os.close(writer)
            assert pipe.read(100) == b'old value'
        assert fs.take() == []


def test_pages_go_when_the_time_has_moved(fs):
    with opened_and_read(fs) as descriptor:
        fs.nodes[FILE] = Node(b'another value', mtime=1000000001)
        fs.expire(FILE)
        assert os.pread(descriptor, 100, 0) == b'another value'


def replace(fs):
    """The name leads to another node from now on; the old one has attributes for a READ alone."""
    fs.add('file', NEW, Node(b'the new value'))
    fs.nodes[FILE].error = errno.ESTALE
    fs.nodes[FILE].read_error = 0
    fs.nodes[FILE].read_valid = 0
    fs.expire(FILE)


def test_path_is_walked_again_after_estale_and_leads_to_the_new_node(fs):
    fs.add('directory', BELOW, directory())
    fs.add('file', FILE, Node(b'old value'), parent=BELOW)
    with opened_and_read(fs, 'directory/file'):
        fs.add('file', NEW, Node(b'the new value'), parent=BELOW)
        fs.nodes[FILE].error = errno.ESTALE
        fs.expire(FILE)
        assert os.stat(fs / 'directory/file').st_size == len(b'the new value')
        asked = fs.take()
    # Every name on the way is looked up, though the kernel believed in all of them.
    assert asked[0] == GETATTR
    assert Asked('lookup', ROOT, 'directory') in asked
    assert Asked('lookup', BELOW, 'file') in asked


@pytest.mark.parametrize('look', ['stat', 'open', 'access', 'getxattr'])
def test_who_comes_by_path_gets_the_new_node_after_estale(fs, look):
    with opened_and_read(fs):
        replace(fs)
        if look == 'open':
            with opened(fs / 'file') as other:
                assert os.pread(other, 100, 0) == b'the new value'
        elif look == 'access':
            assert os.access(fs / 'file', os.R_OK)
        elif look == 'getxattr':
            assert harness.errno_of(os.getxattr, fs / 'file', 'user.any') == errno.EOPNOTSUPP
        assert os.stat(fs / 'file').st_ino == NEW


def test_name_that_has_gone_is_enoent_after_estale(fs):
    with opened_and_read(fs):
        del fs.names[ROOT, 'file']
        fs.nodes[FILE].error = errno.ESTALE
        fs.expire(FILE)
        assert harness.errno_of(os.stat, fs / 'file') == errno.ENOENT


def test_descriptor_keeps_the_old_value_and_its_fstat_is_estale(fs):
    with opened_and_read(fs) as descriptor:
        replace(fs)
        assert os.pread(descriptor, 100, 0) == b'old value'
        assert harness.errno_of(os.fstat, descriptor) == errno.ESTALE
        assert os.stat(fs / 'file').st_ino == NEW
        assert os.pread(descriptor, 100, 0) == b'old value'


def test_old_attributes_that_a_read_was_given_for_long_are_believed_by_path(fs):
    """Hence a READ of a replaced version is given them for no time at all."""
    with opened_and_read(fs) as descriptor:
        replace(fs)
        fs.nodes[FILE].read_valid = LONG
        os.pread(descriptor, 100, 0)
        assert os.stat(fs / 'file').st_ino == FILE
        fs.nodes[FILE].read_valid = 0
        fs.expire(FILE)
        os.pread(descriptor, 100, 0)
        assert os.stat(fs / 'file').st_ino == NEW


def test_descriptor_reads_estale_when_its_value_is_not_kept(fs):
    with opened_and_read(fs) as descriptor:
        replace(fs)
        fs.nodes[FILE].read_error = errno.ESTALE
        assert harness.errno_of(os.pread, descriptor, 100, 0) == errno.ESTALE


# Names

def test_link_is_followed_without_its_attributes(fs):
    fs.add('link', LINK, link(b'file', attributes_valid=0))
    with opened_and_read(fs, 'file'):
        os.stat(fs / 'link')
        fs.take()
        fs.expire(LINK)
        assert os.stat(fs / 'link').st_ino == FILE
        with opened(fs / 'link') as descriptor:
            assert os.pread(descriptor, 100, 0) == b'old value'
        assert fs.take() == []
        # It is asked of by those alone who mean the link itself.
        os.lstat(fs / 'link')
        assert fs.take() == [Asked('getattr', LINK)]


def test_link_that_is_believed_no_longer_is_looked_up_and_leads_elsewhere(fs):
    fs.add('link', LINK, link(b'file', entry_valid=0))
    os.stat(fs / 'link')
    fs.add('other', NEW, Node(b'other'))
    fs.add('link', BELOW, link(b'other'))
    assert os.stat(fs / 'link').st_ino == NEW


def test_file_in_the_middle_of_a_path_is_enotdir_without_a_request(fs):
    os.stat(fs / 'file')
    fs.take()
    fs.nodes[FILE].error = errno.ESTALE
    fs.expire(FILE)
    assert harness.errno_of(os.stat, fs / 'file/member') == errno.ENOTDIR
    assert fs.take() == []


def test_directory_in_the_middle_of_a_path_is_asked_for_attributes(fs):
    """Hence a member that became a file is found out: ESTALE makes the kernel look again."""
    fs.add('directory', BELOW, directory())
    fs.add('file', FILE, Node(b'old value'), parent=BELOW)
    os.stat(fs / 'directory/file')
    fs.take()
    fs.expire(BELOW)
    os.stat(fs / 'directory/file')
    assert fs.take() == [Asked('getattr', BELOW)]


@pytest.mark.parametrize('way', ['look-up', 'listing'])
def test_other_generation_makes_a_new_inode_and_spoils_the_old_one(fs, way):
    with opened_and_read(fs) as descriptor:
        fs.nodes[FILE] = Node(b'another value', generation=1)
        if way == 'look-up':
            fs.drop_name(ROOT, 'file')
        else:
            # By a name that the kernel still believes in.
            os.listdir(fs.path)
        with opened(fs / 'file') as other:
            assert os.pread(other, 100, 0) == b'another value'
        assert harness.errno_of(os.pread, descriptor, 100, 0) == errno.EIO
        assert harness.errno_of(os.fstat, descriptor) == errno.EIO


def test_same_generation_leaves_the_inode_as_it_is(fs):
    with opened_and_read(fs) as descriptor:
        fs.drop_name(ROOT, 'file')
        os.stat(fs / 'file')
        os.listdir(fs.path)
        assert os.pread(descriptor, 100, 0) == b'old value'
        assert os.fstat(descriptor).st_ino == FILE


def test_plain_enoent_is_asked_again_each_time(fs):
    for _ in range(3):
        assert harness.errno_of(os.stat, fs / 'nobody') == errno.ENOENT
        assert fs.take() == [Asked('lookup', ROOT, 'nobody')]


def test_enoent_with_a_time_is_believed(fs):
    fs.names[ROOT, 'nobody'] = None
    assert harness.errno_of(os.stat, fs / 'nobody') == errno.ENOENT
    fs.take()
    fs.add('nobody', NEW, Node(b'somebody'))
    assert harness.errno_of(os.stat, fs / 'nobody') == errno.ENOENT
    assert fs.take() == []
    # Expired attributes of the directory change nothing of it; dropping the name does.
    fs.expire(ROOT)
    assert harness.errno_of(os.stat, fs / 'nobody') == errno.ENOENT
    fs.drop_name(ROOT, 'nobody')
    assert os.stat(fs / 'nobody').st_ino == NEW


# Listings

def below(fs):
    """A directory whose listing the kernel keeps."""
    fs.add('directory', BELOW, directory())
    fs.add('first', FILE, Node(b'first'), parent=BELOW)
    assert os.listdir(fs / 'directory') == ['first']
    fs.take()
    assert os.listdir(fs / 'directory') == ['first']
    assert fs.take() == []
    fs.add('second', NEW, Node(b'second'), parent=BELOW)


def test_kept_listing_goes_when_attributes_show_a_moved_time(fs):
    below(fs)
    fs.nodes[BELOW].mtime += 1
    fs.expire(BELOW)
    assert sorted(os.listdir(fs / 'directory')) == ['first', 'second']
    assert fs.take()[:2] == [Asked('getattr', BELOW), Asked('readdir', BELOW)]


def test_kept_listing_stays_when_the_time_is_what_it_was(fs):
    below(fs)
    fs.expire(BELOW)
    assert os.listdir(fs / 'directory') == ['first']
    assert fs.take() == [Asked('getattr', BELOW)]


def test_kept_listing_of_a_held_directory_goes_as_soon(fs):
    below(fs)
    with opened(fs / 'directory') as descriptor:
        assert os.listdir(descriptor) == ['first']
        fs.nodes[BELOW].mtime += 1
        fs.expire(BELOW)
        assert sorted(os.listdir(descriptor)) == ['first', 'second']


# Who waits for whom

@pytest.fixture
def waiting(fs):
    """Somebody looks up a name in the root, and gets no answer yet."""
    gate = fs.gates['lookup', ROOT, 'slow'] = threading.Event()
    caller = harness.start('stat', fs / 'slow')
    fs.wait_for(Asked('lookup', ROOT, 'slow'))
    yield gate
    gate.set()
    harness.finish(caller)


def test_dropping_a_name_waits_for_a_look_up_in_its_directory(fs, waiting):
    os.stat(fs / 'file')
    dropping = threading.Thread(target=fs.drop_name, args=(ROOT, 'file'))
    dropping.start()
    # It waits, though nobody is to see it happen: half a second is what it takes to be sure.
    dropping.join(0.5)
    assert dropping.is_alive()
    waiting.set()
    dropping.join(harness.END_SECONDS)
    assert not dropping.is_alive()


def test_other_look_ups_in_the_directory_wait_for_nobody(fs, waiting):
    fs.add('other', NEW, Node(b'other'))
    assert os.stat(fs / 'other').st_ino == NEW
    assert not waiting.is_set()


def test_expiring_attributes_waits_for_nobody(fs, waiting):
    os.stat(fs / 'file')
    fs.expire(ROOT)
    fs.expire(FILE)
    fs.take()
    os.stat(fs / 'file')
    assert GETATTR in fs.take()
    assert not waiting.is_set()
