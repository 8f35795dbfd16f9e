# SPDX-License-Identifier: MIT
"""P1 to P3: reading every value of many customers, from the kernel's caches and without them."""

import concurrent.futures
import contextlib
import os
import pathlib
import subprocess
import tempfile

import harness
import measure
import yardsticks


DROP_CACHES = pathlib.Path('/proc/sys/vm/drop_caches')


class Passes:
    """A sandbox, a cache that holds all its customers, a mount, and a plain copy of its tree."""

    UNIT = 'file'

    def __init__(self, customers):
        self.customers = customers

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.directory = pathlib.Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix='kapturefs-bench.')))
            self.sandbox = harness.Sandbox(customers=self.customers)
            stack.callback(self.sandbox.close)
            self.mount = None
            stack.callback(self.unmount)
            self.remount()
            self.fill()
            self.copy = self.directory / 'copy'
            # Faster than what Python would do at the end.
            stack.callback(subprocess.run, ['rm', '-rf', self.copy], check=True)
            subprocess.run(['cp', '-r', '--no-preserve=all', self.mount / 'by-id', self.copy],
                           check=True)
            self.units = self.same_files()
            self.image = self.make_image(stack)
            measure.grep(self.mount / 'by-id')
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def unmount(self):
        if self.mount:
            self.mount.close()
            self.mount = None

    def remount(self, **options):
        """The kernel's caches go with the mount, the daemon's file stays."""
        self.unmount()
        self.mount_options = options
        self.mount = measure.mount(self.sandbox.url, self.directory, **options)

    def fill(self):
        rows = self.sandbox.customers(self.customers)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda row: os.stat(self.mount / 'by-id' / row['id']), rows))
        if (asked := self.sandbox.requests()) != self.customers:
            raise measure.Broken(f'{self.customers} customers took {asked} requests')

    def same_files(self):
        """How many files there are; the copy must have as many, with as many bytes."""
        sums = [subprocess.run(['find', directory, '-type', 'f', '-printf', '%s\n'], check=True,
                               capture_output=True).stdout.split()
                for directory in (self.mount / 'by-id', self.copy)]
        if sorted(sums[0]) != sorted(sums[1]):
            raise measure.Broken(f'the copy has {len(sums[1])} files, the mount {len(sums[0])}')
        return len(sums[0])

    def make_image(self, stack):
        """An EROFS image of the copy, or None: the tool, the kernel or the right may be missing."""
        image, self.image_path = self.directory / 'image', self.directory / 'image.mnt'
        self.image_path.mkdir()
        try:
            subprocess.run(['mkfs.erofs', image, self.copy], check=True, capture_output=True)
            stack.callback(self.unmount_image)
            self.mount_image(image)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            measure.say(f'no EROFS image to compare with: {error}')
            return None
        return image

    def mount_image(self, image):
        self.unmount_image()
        subprocess.run(['mount', '-t', 'erofs', '-o', 'ro', image, self.image_path], check=True,
                       capture_output=True)

    def unmount_image(self):
        if os.path.ismount(self.image_path):
            subprocess.run(['umount', self.image_path], check=True)

    def run(self):
        costs = measure.Costs(self.mount, self.sandbox)
        sample = costs.sample(measure.grep(self.mount / 'by-id'))
        if sample.api_requests:
            raise measure.Broken(f'a cached pass took {sample.api_requests} API requests')
        return sample

    def run_plain(self):
        return measure.Sample(measure.grep(self.copy))

    def run_image(self):
        return measure.Sample(measure.grep(self.image_path))

    def drop_names(self):
        """What a pass without the kernel's names and attributes is to any file system. The contents
        stay, and so do the attributes of what has contents, as the kernel sees fit."""
        measure.grep(self.copy)
        DROP_CACHES.write_text('2')

    def warm(self):
        """Have the kernel read everything once."""
        if self.mount_options:
            self.remount()
        measure.grep(self.mount / 'by-id')

    def contestants(self):
        contestant = measure.Contestant
        found = {
            'plain': contestant('plain copy on disk', self.run_plain,
                                lambda: measure.grep(self.copy)),
            'dropped': contestant('the copy, names and attributes dropped', self.run_plain,
                                  self.drop_names, drops=1),
            'warm': contestant('kapturefs, kernel-warm', self.run, self.warm),
            'cold': contestant('kapturefs, kernel-cold', self.run, self.remount),
            'sleepy': contestant('kapturefs, kernel-cold, busy_poll=0', self.run,
                                 lambda: self.remount(busy_poll='0')),
        }
        if self.image:
            found['erofs'] = contestant('EROFS image of the copy, mounted anew', self.run_image,
                                        lambda: self.mount_image(self.image))
        return found


class Neighbours(Passes):
    """The same passes beside other file systems that serve the plain copy."""

    def __enter__(self):
        super().__enter__()
        with contextlib.ExitStack() as stack:
            stack.push(self.stack)
            self.neighbours = {}
            for name, neighbour in yardsticks.NEIGHBOURS.items():
                if neighbour.is_installed():
                    self.neighbours[name] = stack.enter_context(
                        neighbour(self.copy, self.directory / name))
                else:
                    measure.say(f'{name} is not installed: no comparison with it')
            self.stack = stack.pop_all()
        return self

    def contestants(self):
        found = {name: contestant for name, contestant in super().contestants().items()
                 if name in ('warm', 'cold')}
        for name, neighbour in self.neighbours.items():
            def run(neighbour=neighbour):
                return measure.Sample(neighbour.grep())
            found[f'{name}-warm'] = measure.Contestant(f'{neighbour.LABEL}, kernel-warm', run,
                                                       neighbour.warm)
            found[f'{name}-cold'] = measure.Contestant(f'{neighbour.LABEL}, kernel-cold', run,
                                                       neighbour.remount)
        return found
