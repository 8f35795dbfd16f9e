/* SPDX-License-Identifier: MIT */
/*
 * Memory is wiped when it is freed: free() and realloc() of this program, which the libraries call,
 * too. So what was read of a customer is not kept in what SQLite, zstd, libcurl and libfuse have
 * let go of. The C library's own (M_PERTURB) does not reach what its threads keep for themselves,
 * and overwrites what is allocated as well.
 *
 * There is no other allocator underneath: the C library has its own as __libc_free() and so on.
 * Where it is another library, or a sanitizer has put its own in its place, memory is freed as it
 * is.
 */

#include <string.h>

#include "kapturefs/base/wiping.h"

/* More than what handles a request, and SQLite below it, takes. */
enum { STACK_WIPED = 256 << 10 };

__attribute__((noinline)) void wipe_stack(void)
{
	char stack[STACK_WIPED];

	explicit_bzero(stack, sizeof(stack));
}

#if WIPES_FREED_MEMORY

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void __libc_free(void *memory);
void *__libc_realloc(void *memory, size_t size);

enum { LARGE = 128 << 10 };

/*
 * Large blocks are mappings of their own, which go back to the kernel; to write to those would have
 * it fetch pages that were never used. The bit is in the word before the block, glibc's malloc.c.
 */
static bool is_mapping(const void *memory, size_t size)
{
	enum { IS_MMAPPED = 2 };

	return size >= LARGE && ((const size_t *)memory)[-1] & IS_MMAPPED;
}

__attribute__((visibility("default"))) void free(void *memory)
{
	size_t size;

	if (!memory)
		return;
	size = malloc_usable_size(memory);
	if (!is_mapping(memory, size))
		explicit_bzero(memory, size);
	__libc_free(memory);
}

/* To move a block is to free it; to have it shrink in its place, to free its end. */
__attribute__((visibility("default"))) void *realloc(void *memory, size_t size)
{
	size_t usable = memory ? malloc_usable_size(memory) : 0;
	void *moved;

	if (!usable || !size || is_mapping(memory, usable))
		return __libc_realloc(memory, size);
	if (size <= usable && size >= usable / 2)
		return memory;
	moved = __libc_malloc(size);
	if (!moved)
		return NULL;
	memcpy(moved, memory, size < usable ? size : usable);
	free(memory);
	return moved;
}

#endif
