#pragma once
/* SPDX-License-Identifier: MIT */
/* Text for a terminal of 80 columns. */

#include <stddef.h>
#include <stdio.h>

/**
 * Print @head and behind it, in lines that begin in column @indent, the words of @text, and a line
 * feed. What stands in square brackets stays in one line. Words count by their bytes.
 */
void columns_print(FILE *stream, const char *head, size_t indent, const char *text);
