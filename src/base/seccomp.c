/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kapturefs/base/seccomp.h"

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE AUDIT_ARCH_RISCV64
#else
#define MACHINE 0 /* no list for it */
#endif

/* The calls of x32, which no Debian kernel has but the number of every other call has a twin in. */
#define X32_BIT 0x40000000U

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

static const uint32_t refused[] = {
	/* programs */
	SYS_execve,
	SYS_execveat,
#ifdef SYS_uselib
	SYS_uselib,
#endif
/* other processes; see also write_signals(). A sanitizer looks for leaks by these. */
#if !HAS_SANITIZER
	SYS_ptrace,
	SYS_kill,
	SYS_tkill,
	SYS_pidfd_send_signal,
#endif
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kcmp,
	SYS_pidfd_getfd,
	/* mounts */
	SYS_mount,
	SYS_move_mount,
	SYS_open_tree,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_pivot_root,
	SYS_chroot,
	SYS_open_by_handle_at,
	SYS_quotactl,
#ifdef SYS_quotactl_fd
	SYS_quotactl_fd,
#endif
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	SYS_fanotify_init,
	/* namespaces; see also clone_flags below */
	SYS_unshare,
	SYS_setns,
	/* parts of the kernel in which holes are found */
	SYS_bpf,
	SYS_io_uring_setup,
	SYS_io_uring_register,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_personality,
#ifdef SYS_modify_ldt
	SYS_modify_ldt,
#endif
	/* the machine */
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
	SYS_reboot,
	SYS_syslog,
	SYS_settimeofday,
	SYS_adjtimex,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_vhangup,
#ifdef SYS_iopl
	SYS_iopl,
	SYS_ioperm,
#endif
/* devices */
#ifdef SYS_mknod
	SYS_mknod,
#endif
	SYS_mknodat,
};

/* What makes a thread makes namespaces, too; the flags of clone3(2) cannot be seen by a filter. */
static const uint32_t clone_flags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

struct program {
	struct sock_filter steps[2 * array_length(refused) + 24];
	unsigned short length;
};

static void add(struct program *program, uint16_t code, uint32_t value, uint8_t if_not)
{
	program->steps[program->length++] = (struct sock_filter){ code, 0, if_not, value };
}

/* Where what is loaded is @value, answer with @error, or allow it for 0. */
static void answer(struct program *program, uint32_t value, uint32_t error)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 1);
	add(program, BPF_RET | BPF_K, error ? SECCOMP_RET_ERRNO | error : SECCOMP_RET_ALLOW, 0);
}

static void load(struct program *program, size_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0);
}

/* The lower half of the first argument: the flags of clone(2). */
static size_t first_argument(void)
{
	size_t offset = offsetof(struct seccomp_data, args);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	offset += sizeof(uint32_t);
#endif
	return offset;
}

/* Numbers are another machine's where a 32-bit call is made on 64 bits. */
static void write_machine(struct program *program)
{
	load(program, offsetof(struct seccomp_data, arch));
	program->steps[program->length++] =
	        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
	add(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0);
	load(program, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
	add(program, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 1);
	add(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0);
#endif
}

static void write_clone(struct program *program)
{
	/* The C library then takes clone(2). */
	answer(program, SYS_clone3, ENOSYS);
	add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 3);
	load(program, first_argument());
	add(program, BPF_JMP | BPF_JSET | BPF_K, clone_flags, 1);
	add(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0);
	add(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0);
}

/* A thread may signal those of its own process, as abort(3) does. */
static void write_signals(struct program *program)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 4);
	load(program, first_argument());
	add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 1);
	add(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0);
	add(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0);
}

static void write_program(struct program *program, unsigned exceptions)
{
	write_machine(program);
	for (size_t i = 0; i < array_length(refused); i++)
		answer(program, refused[i], EPERM);
	if (!(exceptions & SECCOMP_BUT_UNMOUNTING))
		answer(program, SYS_umount2, EPERM);
	if (!(exceptions & SECCOMP_BUT_RINGS))
		answer(program, SYS_io_uring_enter, EPERM);
	if (!HAS_SANITIZER)
		write_signals(program);
	write_clone(program);
}

bool seccomp_is_known(void)
{
	uint32_t action = SECCOMP_RET_ERRNO;

	return MACHINE && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* A service's filter may know prctl(2) alone. */
int seccomp_refuse(unsigned exceptions)
{
	struct program program = { .length = 0 };
	struct sock_fprog filter = { .filter = program.steps };

	if (!MACHINE)
		return -EOPNOTSUPP;
	write_program(&program, exceptions);
	filter.len = program.length;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) ==
	            0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0)
		return 0;
	return -errno;
}
