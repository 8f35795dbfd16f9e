/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <unistd.h>

#include "kapturefs/base/privileges.h"
#include "kapturefs/command/attachment.h"
#include "kapturefs/fs/mounting.h"

int attachment_descriptor(const char *mountpoint)
{
	int descriptor;
	char end;

	/* As mount.fuse3(8) and libfuse write it. */
	return sscanf(mountpoint, "/dev/fd/%d%c", &descriptor, &end) == 1 ? descriptor : -1;
}

int attachment_mount(const char *mountpoint, const struct config *config, int *ret,
                     struct mounts_mount *ret_mount)
{
	const struct mounting_wish wish = {
		.mountpoint = mountpoint,
		.source = config->base_url,
		.uid = getuid(),
		.gid = getgid(),
		/* Who else is let in by allow_root is for libfuse to see to. */
		.allow_other = config->allow_other || config->allow_root,
	};

	return mounting_attach(&wish, ret, ret_mount);
}

static int mount_as_root(struct attachment *attachment, const char *mountpoint,
                         const struct config *config)
{
	struct mounts_mount mount;
	int r;

	r = unmounter_start(&attachment->unmounter);
	if (!r)
		r = attachment_mount(mountpoint, config, &attachment->descriptor, &mount);
	if (r)
		return r;
	return unmounter_guard(attachment->unmounter, &mount, config->auto_unmount);
}

int attachment_make(struct attachment *ret, const char *mountpoint, const struct config *config)
{
	bool is_root = geteuid() == 0 && privileges_have(privileges_bit(CAP_SYS_ADMIN));
	int r = 0;

	*ret = (struct attachment){ .descriptor = attachment_descriptor(mountpoint) };
	/* libfuse mounts, and needs what it has for that. */
	if (ret->descriptor < 0 && !is_root)
		return unmounter_start(&ret->unmounter);
	if (ret->descriptor < 0)
		r = mount_as_root(ret, mountpoint, config);
	return r ? r : privileges_keep(0);
}

int attachment_take(struct attachment *attachment)
{
	int descriptor = attachment->descriptor;

	attachment->descriptor = -1;
	return descriptor;
}

void attachment_fini(struct attachment *attachment)
{
	if (attachment->descriptor >= 0)
		close(attachment->descriptor);
	if (attachment->unmounter)
		unmounter_unmount(attachment->unmounter);
	unmounter_free(steal(&attachment->unmounter));
	attachment->descriptor = -1;
}
