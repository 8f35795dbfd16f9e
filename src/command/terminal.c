/* SPDX-License-Identifier: MIT */

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kapturefs/base/text.h"
#include "kapturefs/base/utf8.h"
#include "kapturefs/command/terminal.h"

bool terminal_has_colours(FILE *stream)
{
	const char *refusal = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return isatty(fileno(stream)) && !(refusal && *refusal) && terminal &&
	       strcmp(terminal, "dumb") != 0;
}

bool terminal_has_unicode(void)
{
	return setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* ECMA-48, Select Graphic Rendition. */
const char *terminal_switch(bool has_colours, enum terminal_colour colour)
{
	static const char *const sequences[] = {
		[TERMINAL_PLAIN] = "\033[0m",  [TERMINAL_BOLD] = "\033[1m",
		[TERMINAL_DIM] = "\033[2m",    [TERMINAL_RED] = "\033[1;31m",
		[TERMINAL_GREEN] = "\033[32m", [TERMINAL_YELLOW] = "\033[33m",
	};

	return has_colours ? sequences[colour] : "";
}

static void printf_like(2, 0) write_line(FILE *stream, const char *format, va_list arguments)
{
	char *line;

	if (vasprintf(&line, format, arguments) < 0)
		return;
	text_make_line(line);
	fprintf(stream, "%s\n", line);
	free(line);
}

void terminal_complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(stderr, format, arguments);
	va_end(arguments);
}

void terminal_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(stdout, format, arguments);
	va_end(arguments);
}

/* A line of CSV ends in both; alone, a carriage return goes back over what stands there. */
static bool is_shown(uint32_t character, const char *bytes, size_t length)
{
	if (character == '\r')
		return length > 1 && bytes[1] == '\n';
	return character == '\n' || character == '\t' || !text_is_control(character);
}

void terminal_write(FILE *stream, const char *bytes, size_t length, bool is_json)
{
	if (!isatty(fileno(stream))) {
		(void)!fwrite(bytes, 1, length, stream);
		return;
	}
	while (length) {
		uint32_t character;
		size_t size = utf8_decode(bytes, length, &character);

		if (size && is_shown(character, bytes, length))
			(void)!fwrite(bytes, 1, size, stream);
		else if (size && is_json && character >= 0x7f)
			fprintf(stream, "\\u%04" PRIx32, character);
		else
			fputc(is_json ? ' ' : '?', stream);
		size = size ? size : 1;
		bytes += size;
		length -= size;
	}
}
