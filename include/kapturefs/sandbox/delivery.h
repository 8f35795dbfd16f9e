#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * How an answer goes over the wire: byte by byte, where HTTP and its sender are
 * not to be relied on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/buffer.h"

/** How the head tells where the body ends. */
enum framing {
	FRAMING_LENGTH,      /* Content-Length */
	FRAMING_CHUNKED,     /* in chunks, and a last one */
	FRAMING_ENDLESS,     /* in chunks, the body over and over for ever */
	FRAMING_WRONG_CHUNK, /* a chunk whose size is no number */
	FRAMING_CLOSE,       /* not at all: it ends with the connection */
};

/** What happens where an answer breaks off. */
enum ending {
	ENDING_NONE, /* it does not */
	ENDING_CUT,  /* the connection is closed */
	ENDING_RESET,
	ENDING_STALL,      /* nothing more comes */
	ENDING_HALF_CLOSE, /* our half of the connection is closed, theirs stays open */
};

/** Where it does. */
enum place {
	PLACE_BYTES,   /* behind so many bytes */
	PLACE_HEADERS, /* in the middle of the head */
	PLACE_BODY,    /* in the middle of the body */
	PLACE_END,     /* before the last byte */
};

/** What happens on a connection behind an answer that was whole; it stays open. */
enum sequel {
	SEQUEL_NONE,
	SEQUEL_REPLY,   /* the same answer is sent again */
	SEQUEL_HALF,    /* ... up to its middle */
	SEQUEL_TIMEOUT, /* an answer 408 is sent, as by a load balancer */
	SEQUEL_DEAF,    /* nothing that is sent over it arrives, nor is it refused */
	SEQUELS,
};

/** Zero-initialized it is what HTTP says. */
struct delivery {
	bool is_raw; /* it is ordinary, yet written by us, since its headers are not */
	enum framing framing;
	int64_t length_by;   /* added to the length that is claimed */
	uint32_t interim;    /* answers 102 in front */
	uint32_t padding;    /* headers of 1,000 bytes each */
	uint32_t drip_bytes; /* the size of each piece; 0: whole */
	uint32_t drip_ms;    /* the pause behind each */
	enum ending ending;
	enum place place;
	uint64_t bytes;
	enum sequel sequel;
};

/** Whether anything in it is out of the ordinary. */
bool delivery_is_special(const struct delivery *delivery);

struct answer;
struct answer_way;

/**
 * Send @answer as its delivery says, blocking. The connection is of no more use for HTTP
 * afterwards.
 */
void delivery_send(struct answer *answer, const struct answer_way *way);

struct MHD_Connection;

/** Send its sequel behind @answer, which has gone over @connection; as much as goes at once. */
void delivery_follow(struct MHD_Connection *connection, const struct answer *answer);

/** Let nothing arrive over @connection any more, and nobody know; what is sent over it goes out. */
void delivery_deafen(struct MHD_Connection *connection);

/** Let the other side of TCP see that the connection was reset, at once. */
void delivery_reset(int fd);
