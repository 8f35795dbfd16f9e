#pragma once
/* SPDX-License-Identifier: MIT */
/* What every file may use: attributes, scope cleanup, ownership. */

#include <stddef.h>
#include <unistd.h>

#define must_check               __attribute__((warn_unused_result))
#define printf_like(text, first) __attribute__((format(printf, text, first)))

/** Run @function on the address of the variable when its scope ends. */
#define cleanup(function) __attribute__((cleanup(function)))

/** Take the pointer out of *@place, leaving NULL: how ownership leaves a scope. */
#define steal(place)                                                                               \
	__extension__({                                                                            \
		__typeof__(place) place_ = (place);                                                \
		__typeof__(*place_) taken_ = *place_;                                              \
		*place_ = NULL;                                                                    \
		taken_;                                                                            \
	})

/** The structure of @type whose @member stands at @pointer. */
#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define array_length(array) (sizeof(array) / sizeof((array)[0]))

/**
 * Define @function##p, the scope cleanup for a variable of type @type that
 * @function frees. @function must accept NULL.
 */
#define define_cleanup(type, function)                                                             \
	static inline void function##p(type *place)                                                \
	{                                                                                          \
		function(*place);                                                                  \
	}                                                                                          \
	static inline void function##p(type *place) /* for the semicolon */

/** The scope cleanup for a file descriptor, -1 for none. */
static inline void close_descriptor(const int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}
