/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

#include "kapturefs/base/log.h"
#include "kapturefs/base/log_events.h"
#include "kapturefs/base/log_flood.h"
#include "kapturefs/base/log_line.h"
#include "kapturefs/base/log_sink.h"
#include "kapturefs/base/siphash.h"

/* Floods */

static int allowed(struct log_flood *flood, const void *event, int lines, uint64_t now_ms)
{
	int count = 0;

	for (int i = 0; i < lines; i++)
		count += log_flood_allows(flood, event, now_ms);
	return count;
}

static void test_an_event_has_ten_lines_a_second_and_others_have_their_own(void **state)
{
	struct log_flood flood = { 0 };
	const void *event;

	(void)state;
	assert_int_equal(allowed(&flood, "one", 1000, 5000), LOG_LINES_A_SECOND);
	assert_int_equal(allowed(&flood, "two", 10, 5000), 10);
	assert_int_equal(allowed(&flood, "one", 1, 5999), 0);
	assert_int_equal(log_flood_take(&flood, false, 5999, &event), 0);
	assert_int_equal(log_flood_take(&flood, false, 6000, &event), 991);
	assert_string_equal(event, "one");
	assert_int_equal(log_flood_take(&flood, false, 6000, &event), 0);
	assert_int_equal(allowed(&flood, "one", 1000, 6000), LOG_LINES_A_SECOND);
	assert_int_equal(log_flood_take(&flood, true, 6000, &event), 990);
}

static void test_more_events_than_places_are_still_written_and_their_counts_kept(void **state)
{
	struct log_flood flood = { 0 };
	char events[LOG_FLOOD_EVENTS + 1];
	const void *event;

	(void)state;
	for (int i = 0; i < LOG_FLOOD_EVENTS; i++)
		assert_int_equal(allowed(&flood, &events[i], 11, 0), 10);
	assert_int_equal(allowed(&flood, &events[LOG_FLOOD_EVENTS], 11, 500), 11);
	/* A place is given away when its second is over and its lines have been told of. */
	assert_int_equal(allowed(&flood, &events[LOG_FLOOD_EVENTS], 11, 1000), 11);
	assert_int_equal(log_flood_take(&flood, false, 1000, &event), 1);
	assert_int_equal(allowed(&flood, &events[LOG_FLOOD_EVENTS], 11, 1000), 10);
}

/* The last events */

static void add_event(struct log_events *events, const char *place, const char *text,
                      int64_t now_ms)
{
	const struct log_line line = log_line_read(text);

	log_events_add(events, place, LOG_LEVEL_WARNING, &line, now_ms);
}

static void test_the_same_event_again_is_counted_and_comes_first(void **state)
{
	static struct log_events events;
	static struct log_event list[LOG_EVENTS];
	const char *place = "here";

	(void)state;
	add_event(&events, place, "m: failed tries=1 error=EIO cause=\"bad day\"", 1000);
	add_event(&events, place, "m: failed error=EPROTO", 2000);
	add_event(&events, place, "m: failed tries=2 error=EIO cause=\"bad day\"", 3000);
	assert_int_equal(log_events_list(&events, list, LOG_EVENTS), 2);
	assert_int_equal(list[0].count, 2);
	assert_int_equal(list[0].first_ms, 1000);
	assert_int_equal(list[0].last_ms, 3000);
	assert_string_equal(list[0].module, "m");
	assert_string_equal(list[0].text, "failed");
	assert_string_equal(list[0].error, "EIO");
	assert_string_equal(list[0].cause, "bad day");
	assert_string_equal(list[1].error, "EPROTO");
}

static void test_another_status_of_http_is_another_event(void **state)
{
	static struct log_events events;
	static struct log_event list[LOG_EVENTS];

	(void)state;
	add_event(&events, "here", "m: failed status=503 error=EIO", 1000);
	add_event(&events, "here", "m: failed status=502 error=EIO", 2000);
	add_event(&events, "here", "m: failed errno=EIO", 3000);
	assert_int_equal(log_events_list(&events, list, LOG_EVENTS), 3);
	assert_int_equal(list[2].status, 503);
	assert_int_equal(list[1].status, 502);
	assert_int_equal(list[0].status, 0);
	assert_string_equal(list[0].error, "EIO");
}

static void test_the_last_hundred_events_are_kept(void **state)
{
	static struct log_events events;
	static struct log_event list[LOG_EVENTS];
	char line[32];

	(void)state;
	for (int i = 0; i < LOG_EVENTS + 50; i++) {
		snprintf(line, sizeof(line), "m: number %d", i);
		add_event(&events, "here", line, i);
	}
	assert_int_equal(log_events_list(&events, list, LOG_EVENTS), LOG_EVENTS);
	assert_string_equal(list[0].text, "number 149");
	assert_string_equal(list[LOG_EVENTS - 1].text, "number 50");
	assert_int_equal(log_events_list(&events, list, 3), 3);
}

static void test_an_event_that_is_too_long_is_cut(void **state)
{
	static struct log_events events;
	struct log_event event;
	char line[LOG_LINE_SIZE + 10];

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	add_event(&events, "here", line, 0);
	assert_int_equal(log_events_list(&events, &event, 1), 1);
	assert_int_equal(strlen(event.text), sizeof(event.text) - 1);
}

/* Where lines go */

struct pipe {
	int read_end;
	int write_end;
};

static struct pipe open_pipe(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[0], F_SETFL, O_NONBLOCK) >= 0);
	return (struct pipe){ ends[0], ends[1] };
}

static const char *drain(int descriptor)
{
	static char bytes[1 << 20];
	size_t length = 0;
	ssize_t r;

	while ((r = read(descriptor, bytes + length, sizeof(bytes) - 1 - length)) > 0)
		length += (size_t)r;
	bytes[length] = '\0';
	return bytes;
}

static struct log_sink stream_sink(int stream)
{
	return (struct log_sink){ .target = LOG_SINK_STREAM, .stream = stream, .socket = -1 };
}

static void write_text(struct log_sink *sink, int priority, const char *text)
{
	const struct log_line line = log_line_read(text);

	log_sink_write(sink, priority, &line);
}

static void test_a_full_pipe_loses_lines_and_the_next_one_tells_how_many(void **state)
{
	struct pipe pipe = open_pipe();
	struct log_sink sink = stream_sink(pipe.write_end);
	int written = 0;

	(void)state;
	while (!sink.lost) {
		write_text(&sink, LOG_NOTICE, "m: it happened");
		written++;
	}
	write_text(&sink, LOG_NOTICE, "m: it happened");
	assert_int_equal(sink.lost, 2);
	assert_true(written > 100);
	assert_string_equal(drain(pipe.read_end) + (size_t)(written - 2) * 26,
	                    "kapturefs: m: it happened\n");

	write_text(&sink, LOG_ERR, "m: more");
	assert_string_equal(
	        drain(pipe.read_end),
	        "kapturefs: warning: log: lines lost count=2\nkapturefs: error: m: more\n");
	write_text(&sink, LOG_NOTICE, "m: more");
	assert_string_equal(drain(pipe.read_end), "kapturefs: m: more\n");
	close(pipe.read_end);
	close(pipe.write_end);
}

static void test_a_closed_stream_loses_lines_and_nothing_else(void **state)
{
	struct pipe pipe = open_pipe();
	struct log_sink sink = stream_sink(pipe.write_end);

	(void)state;
	close(pipe.read_end);
	signal(SIGPIPE, SIG_IGN);
	write_text(&sink, LOG_NOTICE, "m: nobody reads");
	close(pipe.write_end);
	write_text(&sink, LOG_NOTICE, "m: nobody is there");
	assert_int_equal(sink.lost, 2);
}

/* A socket at a path of its own, to listen as a daemon would. */
struct listener {
	char directory[32];
	char path[64];
	int socket;
};

static void listen_up(struct listener *listener)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(listener->directory, sizeof(listener->directory), "%s", "log-test-XXXXXX");
	assert_non_null(mkdtemp(listener->directory));
	snprintf(listener->path, sizeof(listener->path), "%s/socket", listener->directory);
	listener->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(address.sun_path, listener->path, strlen(listener->path));
	assert_int_equal(bind(listener->socket, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void listen_no_more(struct listener *listener)
{
	close(listener->socket);
	unlink(listener->path);
	rmdir(listener->directory);
}

static const char *receive(const struct listener *listener)
{
	static char bytes[8192];
	ssize_t length = recv(listener->socket, bytes, sizeof(bytes) - 1, 0);

	bytes[length > 0 ? length : 0] = '\0';
	return bytes;
}

static void test_the_journal_gets_the_parts_as_fields(void **state)
{
	struct listener journal;
	struct log_sink sink = { .target = LOG_SINK_JOURNAL, .stream = -1, .socket = -1 };

	(void)state;
	listen_up(&journal);
	sink.journal_path = journal.path;
	write_text(&sink, LOG_WARNING, "kapture: lookup failed key=id cause=\"no host\" empty=");
	assert_string_equal(
	        receive(&journal),
	        "MESSAGE=kapture: lookup failed key=id cause=\"no host\" empty=\nPRIORITY=4\n"
	        "SYSLOG_IDENTIFIER=kapturefs\nKAPTUREFS_MODULE=kapture\n"
	        "KAPTUREFS_EVENT=lookup failed\nKAPTUREFS_KEY=id\nKAPTUREFS_CAUSE=no host\n");
	log_sink_fini(&sink);
	listen_no_more(&journal);
}

static void test_without_a_journal_the_line_goes_to_the_stream(void **state)
{
	struct pipe pipe = open_pipe();
	struct log_sink sink = { .target = LOG_SINK_JOURNAL,
		                 .stream = pipe.write_end,
		                 .journal_path = "log-test-nothing/there",
		                 .socket = -1 };

	(void)state;
	write_text(&sink, LOG_DEBUG, "m: e");
	assert_string_equal(drain(pipe.read_end), "kapturefs: debug: m: e\n");
	assert_int_equal(sink.lost, 0);
	log_sink_fini(&sink);
	close(pipe.read_end);
	close(pipe.write_end);
}

static void test_syslog_that_does_not_read_loses_lines(void **state)
{
	struct listener listener;
	struct log_sink sink = { .target = LOG_SINK_SYSLOG, .stream = -1, .socket = -1 };
	const char *line;

	(void)state;
	listen_up(&listener);
	sink.syslog_path = listener.path;
	for (int i = 0; i < 10000 && !sink.lost; i++)
		write_text(&sink, LOG_ERR, "m: it happened");
	assert_int_equal(sink.lost, 1);
	line = receive(&listener);
	assert_memory_equal(line, "<27>", 4);
	assert_non_null(strstr(line, " kapturefs["));
	assert_string_equal(strstr(line, "]: "), "]: m: it happened");
	log_sink_fini(&sink);
	listen_no_more(&listener);
}

static void test_the_journal_is_known_by_device_and_inode(void **state)
{
	struct pipe pipe = open_pipe();
	struct stat status;
	char text[64];

	(void)state;
	assert_int_equal(fstat(pipe.write_end, &status), 0);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	assert_true(log_sink_is_journal(text, pipe.write_end));
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)status.st_dev,
	         (uintmax_t)status.st_ino + 1);
	assert_false(log_sink_is_journal(text, pipe.write_end));
	assert_false(log_sink_is_journal("nonsense", pipe.write_end));
	assert_false(log_sink_is_journal(NULL, pipe.write_end));
	close(pipe.read_end);
	close(pipe.write_end);
}

/* All of it */

static void log_it(int number)
{
	log_warning("test: one of many number=%d", number);
}

static void test_a_flood_is_ten_lines_and_a_sum_and_one_event(void **state)
{
	struct log_event event;
	struct pipe pipe = open_pipe();
	int saved = dup(STDERR_FILENO);
	const char *lines;

	(void)state;
	dup2(pipe.write_end, STDERR_FILENO);
	errno = EXDEV;
	for (int i = 0; i < 500; i++)
		log_it(i);
	log_settle();
	log_notice("test: two\nlines");
	assert_int_equal(errno, EXDEV);
	dup2(saved, STDERR_FILENO);
	close(saved);

	lines = drain(pipe.read_end);
	assert_non_null(strstr(lines, "kapturefs: warning: test: one of many number=0\n"));
	assert_non_null(strstr(lines, "number=9\n"));
	/* The second may have ended in between, and given it ten more. */
	assert_null(strstr(lines, "number=450\n"));
	assert_non_null(strstr(lines, "log: lines suppressed count="));
	assert_non_null(strstr(lines, "of=\"test: one of many\"\n"));
	assert_non_null(strstr(lines, "kapturefs: test: two?lines\n"));
	assert_int_equal(log_recent(&event, 1), 1);
	assert_int_equal(event.count, 500);
	assert_string_equal(event.text, "one of many");
	assert_true(log_counts().suppressed >= 400);
	close(pipe.read_end);
	close(pipe.write_end);
}

static void test_a_key_is_logged_as_a_hash_that_is_its_own(void **state)
{
	struct log_hash one = log_hash("9380491326");

	(void)state;
	assert_int_equal(strlen(one.text), 16);
	assert_string_equal(one.text, log_hash("9380491326").text);
	assert_string_not_equal(one.text, log_hash("9380491327").text);
}

/* The vectors of the authors' reference implementation: key 00 01 .. 0f, messages 00 01 02 .. */
static void test_siphash_is_that_of_its_authors(void **state)
{
	struct siphash_key key = { { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) } };
	unsigned char message[15];

	(void)state;
	for (unsigned char i = 0; i < sizeof(message); i++)
		message[i] = i;
	assert_true(siphash(key, message, 0) == UINT64_C(0x726fdb47dd0e0e31));
	assert_true(siphash(key, message, 15) == UINT64_C(0xa129ca6149be45e5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_has_ten_lines_a_second_and_others_have_their_own),
		cmocka_unit_test(
		        test_more_events_than_places_are_still_written_and_their_counts_kept),
		cmocka_unit_test(test_the_same_event_again_is_counted_and_comes_first),
		cmocka_unit_test(test_another_status_of_http_is_another_event),
		cmocka_unit_test(test_the_last_hundred_events_are_kept),
		cmocka_unit_test(test_an_event_that_is_too_long_is_cut),
		cmocka_unit_test(test_a_full_pipe_loses_lines_and_the_next_one_tells_how_many),
		cmocka_unit_test(test_a_closed_stream_loses_lines_and_nothing_else),
		cmocka_unit_test(test_the_journal_gets_the_parts_as_fields),
		cmocka_unit_test(test_without_a_journal_the_line_goes_to_the_stream),
		cmocka_unit_test(test_syslog_that_does_not_read_loses_lines),
		cmocka_unit_test(test_the_journal_is_known_by_device_and_inode),
		cmocka_unit_test(test_a_flood_is_ten_lines_and_a_sum_and_one_event),
		cmocka_unit_test(test_a_key_is_logged_as_a_hash_that_is_its_own),
		cmocka_unit_test(test_siphash_is_that_of_its_authors),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
