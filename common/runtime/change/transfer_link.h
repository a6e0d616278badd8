/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of sessions (transfer.h) on links: sending, receiving, answering. Worker thread. */
#ifndef SLUICE_RUNTIME_TRANSFER_LINK_H
#define SLUICE_RUNTIME_TRANSFER_LINK_H

#include "runtime/change/transfer.h"
#include "runtime/worker.h"

/* Sends a frame behind the packets that this worker has for the port. A full link is waited for as long as it takes any; false, and counted: it did
 * not take the frame for some 200 ms, and will not be waited for again until the next configuration. */
bool transfer_send(struct worker *w, uint16_t port, const struct transfer_frame *frame);

/* Tells the hop's process what it has to know before it is given this session (nf_class.ahead()). */
void transfer_send_ahead(struct worker *w, const struct position *hop, const struct session *s);

/* Puts packets on a link whose other end may be slow for a moment, and waits for as long as it takes any; answers how many it took. It has hung if it took
 * nothing for half a second, and is not waited for again until the next configuration. */
unsigned transfer_insist(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n);

/* Sends answers that wait; to be called at the end of a turn. Answers how many have gone. */
unsigned transfer_reply_turn(struct worker *w);

/* A frame came by a port; takes the mbuf over. */
void transfer_receive(struct worker *w, uint16_t port, struct rte_mbuf *m);
/* One that another worker received, for this one. */
void transfer_owned(struct worker *w, struct rte_mbuf *m);

/* What is known of a function's slot in a session, for another process; false: its layout has none. */
void transfer_put_slot(struct transfer *t, const struct nf *nf, struct session *s);
/* Whether a slot from elsewhere is one of this function, by kind, size and version. */
bool transfer_fits(const struct transfer *t, const struct nf *nf);

#endif
