/* SPDX-License-Identifier: MIT */

#include <string.h>

#include "kapturefs/base/columns.h"

enum { WIDTH = 79 }; /* terminals go on in the next line behind the last column */

/* Up to the next blank that is in no bracket. */
static size_t word_length(const char *text)
{
	size_t length = 0;
	int depth = 0;

	for (; text[length] && (depth || text[length] != ' '); length++)
		depth += (text[length] == '[') - (text[length] == ']');
	return length;
}

void columns_print(FILE *stream, const char *head, size_t indent, const char *text)
{
	size_t column = strlen(head);

	fputs(head, stream);
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t length = word_length(text);

		if (column < indent) {
			fprintf(stream, "%*s", (int)(indent - column), "");
			column = indent;
		} else if (column + 1 + length > WIDTH) {
			fprintf(stream, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', stream);
			column++;
		}
		fprintf(stream, "%.*s", (int)length, text);
		column += length;
		text += length;
	}
	fputc('\n', stream);
}
