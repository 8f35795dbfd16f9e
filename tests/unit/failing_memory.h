#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out once, at the allocation that the test says: for our own code by the linker
 * (see the program's --wrap arguments), for the libraries by the hooks that they have. Only
 * the thread that has called memory_take_over() is struck, and only between arming and disarming.
 * To be included by one file of a program.
 */

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct memory {
	pthread_t thread;
	bool is_armed;
	bool has_failed;
	unsigned allocations; /* since it was armed */
	unsigned failing;     /* the one that fails; 0 for none */
} memory;

static bool memory_runs_out(void)
{
	if (!memory.is_armed || !pthread_equal(pthread_self(), memory.thread))
		return false;
	if (++memory.allocations != memory.failing)
		return false;
	memory.has_failed = true;
	errno = ENOMEM;
	return true;
}

/* What the linker puts in place of the C library's, and what it calls those then. */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
char *__real_realpath(const char *path, char *room);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
char *__wrap_realpath(const char *path, char *room);
int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void *__wrap_malloc(size_t size)
{
	return memory_runs_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return memory_runs_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return memory_runs_out() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return memory_runs_out() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
	return memory_runs_out() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
	return memory_runs_out() ? NULL : __real_strndup(text, length);
}

char *__wrap_realpath(const char *path, char *room)
{
	return memory_runs_out() ? NULL : __real_realpath(path, room);
}

int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list arguments;
	int length;

	if (memory_runs_out())
		return -1;
	va_start(arguments, format);
	length = vasprintf(ret, format, arguments);
	va_end(arguments);
	return length;
}

/* The same where the compiler fortifies it. */
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
{
	va_list arguments;
	int length;

	(void)flag;
	if (memory_runs_out())
		return -1;
	va_start(arguments, format);
	length = vasprintf(ret, format, arguments);
	va_end(arguments);
	return length;
}

/* SQLite wants to know how large its pieces are. */

static void *sqlite_take(int size)
{
	return __wrap_malloc((size_t)size);
}

static void *sqlite_take_again(void *old, int size)
{
	return __wrap_realloc(old, (size_t)size);
}

static int sqlite_size(void *piece)
{
	return piece ? (int)malloc_usable_size(piece) : 0;
}

static int sqlite_round_up(int size)
{
	return (size + 7) & ~7;
}

static int sqlite_begin(void *userdata)
{
	(void)userdata;
	return SQLITE_OK;
}

static void sqlite_end(void *userdata)
{
	(void)userdata;
}

/** Stand behind every allocation from now on; call before anything else. */
static inline void memory_take_over(void)
{
	static const struct sqlite3_mem_methods sqlite = {
		sqlite_take,     free,         sqlite_take_again, sqlite_size,
		sqlite_round_up, sqlite_begin, sqlite_end,        NULL,
	};
	cJSON_Hooks cjson = { __wrap_malloc, free };

	memory.thread = pthread_self();
	cJSON_InitHooks(&cjson);
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &sqlite), SQLITE_OK);
	/* Small pieces would come from memory that SQLite has taken once. */
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
	assert_int_equal(curl_global_init_mem(CURL_GLOBAL_ALL, __wrap_malloc, free, __wrap_realloc,
	                                      __wrap_strdup, __wrap_calloc),
	                 CURLE_OK);
}

/** Let allocation number @failing fail, counted from 1; 0 lets none. */
static inline void memory_arm(unsigned failing)
{
	memory.is_armed = true;
	memory.has_failed = false;
	memory.allocations = 0;
	memory.failing = failing;
}

/** From now on there is memory. Returns whether there was none once. */
static inline bool memory_disarm(void)
{
	memory.is_armed = false;
	return memory.has_failed;
}
