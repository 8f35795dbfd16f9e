/* SPDX-License-Identifier: MIT */
/* By capget(2), capset(2) and prctl(2) themselves: a library would bring no more than names. */

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kapturefs/base/privileges.h"

/* The kernel takes the 64 bits of a set in two halves. */
struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3];
};

static const struct sets nothing = { .header = { .version = _LINUX_CAPABILITY_VERSION_3 } };

static uint64_t joined(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

bool privileges_have(uint64_t capabilities)
{
	struct sets sets = nothing;
	uint64_t effective;

	if (syscall(SYS_capget, &sets.header, sets.halves) < 0)
		return false;
	effective = joined(sets.halves[0].effective, sets.halves[1].effective);
	return (effective & capabilities) == capabilities;
}

/* A service's filter of system calls may forbid capset() where there is nothing left to set. */
static int limit_process(uint64_t kept)
{
	struct sets sets = nothing;
	struct sets wanted = nothing;

	if (syscall(SYS_capget, &sets.header, sets.halves) < 0)
		return -errno;
	for (int half = 0; half < _LINUX_CAPABILITY_U32S_3; half++) {
		uint32_t bits = (uint32_t)(kept >> (32 * half));

		wanted.halves[half].effective = bits;
		wanted.halves[half].permitted = bits;
	}
	if (memcmp(sets.halves, wanted.halves, sizeof(sets.halves)) == 0)
		return 0;
	return syscall(SYS_capset, &wanted.header, wanted.halves) < 0 ? -errno : 0;
}

static int limit_programs(uint64_t kept)
{
	const unsigned long root_is_nobody =
	        SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
	        SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
	        SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	/* EINVAL is for those behind the last one that the kernel knows. */
	for (unsigned long capability = 0; capability < 64; capability++) {
		if (kept & privileges_bit(capability))
			continue;
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL)
			return -errno;
	}
	return prctl(PR_SET_SECUREBITS, root_is_nobody, 0, 0, 0) < 0 ? -errno : 0;
}

int privileges_keep(uint64_t kept)
{
	int r = 0;

	/* Whoever may not take away from the bounding set has hardly anything to give up. */
	if (privileges_have(privileges_bit(CAP_SETPCAP)))
		r = limit_programs(kept);
	if (r)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;

	return limit_process(kept);
}
