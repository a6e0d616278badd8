/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells the service manager how we are: systemd's notification protocol, a datagram to the socket that $NOTIFY_SOCKET names. Any thread. */
#ifndef SLUICE_SLUICED_NOTIFY_H
#define SLUICE_SLUICED_NOTIFY_H

/* Sends "READY=1", "STOPPING=1"; nothing if nobody wants to know. What cannot be sent is left: it is a courtesy. */
void notify(const char *state);

#endif
