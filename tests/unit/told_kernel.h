#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The kernel that is told, in a test's hand: libfuse's notifications are wrapped by the linker. It
 * is slow, so that threads overlap, and can be held up where it would wait for a page; with
 * PLANTED_RACE it also counts without a lock. Include cmocka.h and its headers first.
 */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "kapturefs/fs/libfuse.h"

enum { CALLS_MAX = 1 << 16, DELAY_NS = 200000 };

struct call {
	bool is_store;
	char name[32]; /* of an entry */
	uint64_t number;
	off_t offset;
	size_t length;
};

/* What the kernel was told; the page that it holds locked while @gate is closed. */
static struct kernel {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned count;
	struct call calls[CALLS_MAX];
	bool is_held;
	bool knows_nobody; /* of whom attributes are expired */
	bool is_waiting;
	unsigned planted;
} kernel = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static inline void plant(void)
{
#ifdef PLANTED_RACE
	kernel.planted++;
#endif
}

static inline void note_call(struct call call)
{
	const struct timespec delay = { .tv_nsec = DELAY_NS };

	if (call.offset >= 0)
		nanosleep(&delay, NULL);
	plant();
	pthread_mutex_lock(&kernel.lock);
	while (kernel.is_held && call.offset >= 0) {
		kernel.is_waiting = true;
		pthread_cond_broadcast(&kernel.changed);
		pthread_cond_wait(&kernel.changed, &kernel.lock);
	}
	kernel.is_waiting = false;
	if (kernel.count < CALLS_MAX)
		kernel.calls[kernel.count++] = call;
	pthread_cond_broadcast(&kernel.changed);
	pthread_mutex_unlock(&kernel.lock);
	plant();
}

int __wrap_fuse_lowlevel_notify_store(struct fuse_session *session, fuse_ino_t number, off_t offset,
                                      struct fuse_bufvec *bytes, enum fuse_buf_copy_flags flags);
int __wrap_fuse_lowlevel_notify_inval_inode(struct fuse_session *session, fuse_ino_t number,
                                            off_t offset, off_t length);
int __wrap_fuse_lowlevel_notify_inval_entry(struct fuse_session *session, fuse_ino_t parent,
                                            const char *name, size_t length);

int __wrap_fuse_lowlevel_notify_store(struct fuse_session *session, fuse_ino_t number, off_t offset,
                                      struct fuse_bufvec *bytes, enum fuse_buf_copy_flags flags)
{
	(void)session;
	(void)flags;
	note_call((struct call){ true, "", number, offset, bytes->buf[0].size });
	return 0;
}

int __wrap_fuse_lowlevel_notify_inval_inode(struct fuse_session *session, fuse_ino_t number,
                                            off_t offset, off_t length)
{
	(void)session;
	note_call((struct call){ false, "", number, offset, (size_t)length });
	return offset < 0 && kernel.knows_nobody ? -ENOENT : 0;
}

int __wrap_fuse_lowlevel_notify_inval_entry(struct fuse_session *session, fuse_ino_t parent,
                                            const char *name, size_t length)
{
	struct call call = { .number = parent, .offset = 1 };

	(void)session;
	assert_true(length < sizeof(call.name));
	memcpy(call.name, name, length);
	note_call(call);
	return 0;
}

static inline void hold(bool is_held)
{
	pthread_mutex_lock(&kernel.lock);
	kernel.is_held = is_held;
	pthread_cond_broadcast(&kernel.changed);
	pthread_mutex_unlock(&kernel.lock);
}

static inline void wait_until_held(void)
{
	pthread_mutex_lock(&kernel.lock);
	while (!kernel.is_waiting)
		pthread_cond_wait(&kernel.changed, &kernel.lock);
	pthread_mutex_unlock(&kernel.lock);
}

static inline void wait_for_calls(unsigned count)
{
	pthread_mutex_lock(&kernel.lock);
	while (kernel.count < count)
		pthread_cond_wait(&kernel.changed, &kernel.lock);
	pthread_mutex_unlock(&kernel.lock);
}

static inline unsigned stores_of(uint64_t number)
{
	unsigned count = 0;

	pthread_mutex_lock(&kernel.lock);
	for (unsigned i = 0; i < kernel.count; i++)
		count += kernel.calls[i].is_store && kernel.calls[i].number == number;
	pthread_mutex_unlock(&kernel.lock);
	return count;
}

/* Where in the calls the value of @number was first stored, or -1. */
static inline int first_store_of(uint64_t number)
{
	int place = -1;

	pthread_mutex_lock(&kernel.lock);
	for (unsigned i = 0; i < kernel.count && place < 0; i++) {
		if (kernel.calls[i].is_store && kernel.calls[i].number == number)
			place = (int)i;
	}
	pthread_mutex_unlock(&kernel.lock);
	return place;
}

/* Where in the calls the pages of @number were dropped, or -1. */
static inline int drop_of(uint64_t number)
{
	int place = -1;

	pthread_mutex_lock(&kernel.lock);
	for (unsigned i = 0; i < kernel.count; i++) {
		if (!kernel.calls[i].is_store && kernel.calls[i].offset == 0 &&
		    kernel.calls[i].number == number)
			place = (int)i;
	}
	pthread_mutex_unlock(&kernel.lock);
	return place;
}

/* How often the name @name was dropped in the directory @number. */
static inline unsigned names_dropped(uint64_t number, const char *name)
{
	unsigned count = 0;

	pthread_mutex_lock(&kernel.lock);
	for (unsigned i = 0; i < kernel.count; i++)
		count +=
		        kernel.calls[i].number == number && strcmp(kernel.calls[i].name, name) == 0;
	pthread_mutex_unlock(&kernel.lock);
	return count;
}

static inline void wait_a_moment(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	nanosleep(&moment, NULL);
}

static inline void wait_for_drop(uint64_t number)
{
	while (drop_of(number) < 0)
		wait_a_moment();
}
