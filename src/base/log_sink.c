/* SPDX-License-Identifier: MIT */
/*
 * syslog(3) and sd_journal_send(3) speak the same two protocols, but wait for a daemon that does
 * not read. A stream may be shared with other processes, so that it cannot be made non-blocking:
 * it is asked first whether it has room, which holds for PIPE_BUF bytes.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/log_line.h"
#include "kapturefs/base/log_sink.h"

enum {
	STREAM_SIZE = LOG_LINE_SIZE + 64,
	DATAGRAM_SIZE = 4096, /* a line, once more in pieces */
};

static const char *const level_words[] = {
	[LOG_ERR] = "error: ",
	[LOG_WARNING] = "warning: ",
	[LOG_NOTICE] = "",
	[LOG_DEBUG] = "debug: ",
};

/* Text that is being written, cut where it ends. */
struct text {
	char bytes[DATAGRAM_SIZE];
	size_t length;
};

printf_like(2, 3) static void add(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->bytes + text->length, room, format, arguments);
	va_end(arguments);
	/* What does not fit is left out whole. */
	if (length > 0 && (size_t)length < room)
		text->length += (size_t)length;
}

/* Each of these returns whether the line has been taken. */

static bool write_stream(const struct log_sink *sink, int priority, const char *line)
{
	struct pollfd stream = { .fd = sink->stream, .events = POLLOUT };
	char bytes[STREAM_SIZE];
	int length =
	        snprintf(bytes, sizeof(bytes), "kapturefs: %s%s\n", level_words[priority], line);

	if (length < 0 || (size_t)length >= sizeof(bytes))
		return false;
	if (poll(&stream, 1, 0) != 1 || !(stream.revents & POLLOUT))
		return false;
	return write(sink->stream, bytes, (size_t)length) == length;
}

static bool send_datagram(struct log_sink *sink, const char *path, const struct text *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (sink->socket < 0)
		sink->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sink->socket < 0 || strlen(path) >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, strlen(path));
	return sendto(sink->socket, text->bytes, text->length, MSG_NOSIGNAL,
	              (const struct sockaddr *)&address, sizeof(address)) >= 0;
}

/* As the syslog(3) of glibc writes it. */
static bool write_syslog(struct log_sink *sink, int priority, const char *line)
{
	struct text text = { .length = 0 };
	time_t now = time(NULL);
	char stamp[32] = "";
	struct tm parts;

	if (localtime_r(&now, &parts))
		strftime(stamp, sizeof(stamp), "%h %e %T ", &parts);
	add(&text, "<%d>%skapturefs[%d]: %s", LOG_DAEMON | priority, stamp, (int)getpid(), line);
	if (send_datagram(sink, sink->syslog_path, &text))
		return true;
	/* Many a container has no syslog. */
	if (sink->stream >= 0)
		return write_stream(sink, priority, line);
	sink->is_nowhere = errno == ENOENT && !sink->has_file;
	return errno == ENOENT;
}

static bool write_file(const struct log_sink *sink, int priority, const char *line)
{
	char bytes[STREAM_SIZE];
	char stamp[32] = "";
	time_t now = time(NULL);
	struct tm parts;
	int length;

	if (gmtime_r(&now, &parts))
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &parts);
	length = snprintf(bytes, sizeof(bytes), "%s kapturefs[%d]: %s%s\n", stamp, (int)getpid(),
	                  level_words[priority], line);
	return length > 0 && (size_t)length < sizeof(bytes) &&
	       write(sink->file, bytes, (size_t)length) == length;
}

/* Names of fields have capital letters; values are of one line, as log_write() makes them. */
static void add_field(struct text *text, struct log_span name, struct log_span value)
{
	char capital[64];

	log_span_copy(name, capital, sizeof(capital));
	for (char *byte = capital; *byte; byte++) {
		if (*byte >= 'a' && *byte <= 'z')
			*byte = (char)(*byte - 'a' + 'A');
	}
	if (value.length)
		add(text, "KAPTUREFS_%s=%.*s\n", capital, (int)value.length, value.start);
}

static bool write_journal(struct log_sink *sink, int priority, const struct log_line *line)
{
	struct text text = { .length = 0 };

	add(&text, "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=kapturefs\n", line->text, priority);
	add_field(&text, (struct log_span){ "module", 6 }, line->module);
	add_field(&text, (struct log_span){ "event", 5 }, line->event);
	for (size_t i = 0; i < line->pair_count; i++)
		add_field(&text, line->pairs[i].name, line->pairs[i].value);
	return send_datagram(sink, sink->journal_path, &text) ||
	       write_stream(sink, priority, line->text);
}

static bool write_line(struct log_sink *sink, int priority, const struct log_line *line)
{
	switch (sink->target) {
	case LOG_SINK_STREAM:
		return write_stream(sink, priority, line->text);
	case LOG_SINK_SYSLOG:
		return write_syslog(sink, priority, line->text);
	case LOG_SINK_JOURNAL:
		return write_journal(sink, priority, line);
	case LOG_SINK_NOTHING:
		break;
	}
	return true;
}

static void tell_lost(struct log_sink *sink)
{
	char text[64];
	struct log_line line;

	snprintf(text, sizeof(text), "log: lines lost count=%" PRIu64, sink->lost_untold);
	line = log_line_read(text);
	if (write_line(sink, LOG_WARNING, &line))
		sink->lost_untold = 0;
}

void log_sink_write(struct log_sink *sink, int priority, const struct log_line *line)
{
	bool is_taken;

	if (sink->lost_untold)
		tell_lost(sink);
	is_taken = write_line(sink, priority, line);
	if (sink->has_file && write_file(sink, priority, line->text))
		is_taken = true;
	if (is_taken)
		return;
	sink->lost++;
	sink->lost_untold++;
}

void log_sink_fini(struct log_sink *sink)
{
	if (sink->socket >= 0)
		close(sink->socket);
	sink->socket = -1;
	if (sink->has_file)
		close(sink->file);
	sink->has_file = false;
}

bool log_sink_is_journal(const char *journal_stream, int stream)
{
	uint64_t device;
	uint64_t inode;
	struct stat status;

	return journal_stream &&
	       sscanf(journal_stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
	       fstat(stream, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}
