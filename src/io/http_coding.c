/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "kapturefs/io/http_coding.h"

enum {
	PIECE_SIZE = 16384,
	WINDOW_BITS = 15,
	GZIP_OR_ZLIB = 32, /* zlib's: find out which */
};

void http_coding_init(struct http_coding *coding)
{
	*coding = (struct http_coding){ .is_packed = false };
}

void http_coding_fini(struct http_coding *coding)
{
	if (coding->is_open)
		(void)inflateEnd(&coding->stream);
	http_coding_init(coding);
}

/* Also for people to read: of what a server sends, what a token may have. */
static void note_unknown(struct http_coding *coding, const char *name, size_t length)
{
	if (coding->unknown[0])
		return;
	for (size_t i = 0; i < length && i < sizeof(coding->unknown) - 1; i++)
		coding->unknown[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
}

static bool is_name(const char *name, size_t length, const char *other)
{
	return length == strlen(other) && strncasecmp(name, other, length) == 0;
}

static void note_name(struct http_coding *coding, const char *name, size_t length)
{
	bool is_known = is_name(name, length, "gzip") || is_name(name, length, "x-gzip") ||
	                is_name(name, length, "deflate");

	if (!length || is_name(name, length, "identity"))
		return;
	if (!is_known || coding->is_packed)
		note_unknown(coding, name, length);
	coding->is_packed |= is_known;
}

void http_coding_note(struct http_coding *coding, const char *value, size_t length)
{
	const char *end = value + length;

	while (value < end) {
		const char *comma = memchr(value, ',', (size_t)(end - value));
		const char *name = value;
		const char *name_end = comma ? comma : end;

		value = comma ? comma + 1 : end;
		while (name < name_end && strchr(" \t\r\n", *name))
			name++;
		while (name < name_end && strchr(" \t\r\n", name_end[-1]))
			name_end--;
		note_name(coding, name, (size_t)(name_end - name));
	}
}

/*
 * "deflate" means zlib's format, but some servers leave its two bytes away. The first of them has
 * 8 in its lower half, with which no such stream begins that a packer would write.
 */
static int begin(struct http_coding *coding, char first)
{
	bool is_bare = (unsigned char)first != 0x1f && (first & 0x0f) != 8;

	if (inflateInit2(&coding->stream, is_bare ? -WINDOW_BITS : WINDOW_BITS + GZIP_OR_ZLIB))
		return -ENOMEM;
	coding->is_open = true;
	return 0;
}

static int inflate_piece(struct http_coding *coding, struct buffer *body)
{
	z_stream *stream = &coding->stream;
	unsigned char piece[PIECE_SIZE];
	int r;

	/* Of gzip, several may be joined. */
	if (coding->is_over && inflateReset(stream))
		return -EPROTO;
	stream->next_out = piece;
	stream->avail_out = sizeof(piece);
	r = inflate(stream, Z_NO_FLUSH);
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return -EPROTO;
	coding->is_over = r == Z_STREAM_END;
	return buffer_append(body, piece, sizeof(piece) - stream->avail_out);
}

int http_coding_unpack(struct http_coding *coding, const char *bytes, size_t length,
                       struct buffer *body)
{
	z_stream *stream = &coding->stream;
	int r = 0;

	if (!coding->is_packed || !length)
		return buffer_append(body, bytes, length);
	if (length > UINT_MAX)
		return -EFBIG;
	if (!coding->is_open)
		r = begin(coding, *bytes);
	stream->next_in = (const unsigned char *)bytes;
	stream->avail_in = (unsigned)length;
	/* Until there is room left behind what it had to say. */
	while (!r) {
		r = inflate_piece(coding, body);
		if (!stream->avail_in && (coding->is_over || stream->avail_out))
			break;
	}
	return r;
}

bool http_coding_is_whole(const struct http_coding *coding)
{
	return !coding->is_open || coding->is_over;
}
