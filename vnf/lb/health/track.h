/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What results of checks make of a target: rise and fall, and a penalty for flapping as RFC 2439 has it for routes. Pure; time is an argument; the
 * checker's thread.
 *
 * A target that was never checked is turned by its first result; one that is assumed to be up, by `fall` failures only. After that `rise` passes or `fall` failures in a row turn it. Each fall costs
 * 1000 points, which halve with `halfLife`. From 3000 on the target is held down, whatever its checks say, until 1500 are left: the third fall
 * within about a half-life does it. The penalty is bounded by 12000, so that a target that has come to rest is back after three half-lives.
 */
#ifndef SLUICE_VNF_LB_TRACK_H
#define SLUICE_VNF_LB_TRACK_H

#include "lb/health/health.h"

enum { TRACK_FALL = 1000, TRACK_HOLD = 3000, TRACK_FREE = 1500, TRACK_MAX = 12000 };

/* Zeroed: never checked. */
struct track {
	uint8_t state;   /* enum health_state, as told */
	uint8_t seen;    /* the same without regard to flapping */
	bool suppressed; /* flaps */
	bool assumed;    /* set by the caller: taken for up while it is unknown */
	uint32_t run;    /* results in a row that are against `seen` */
	double penalty;  /* as of */
	uint64_t at;     /* ns */
};

/* Takes a result; true: the state turned. now: ns, monotonic. */
bool track_result(struct track *t, const struct health_check *check, bool passed, uint64_t now);
/* The penalty now. */
uint32_t track_penalty(const struct track *t, const struct health_check *check, uint64_t now);
/* ms until a target that is held down may be up again. */
uint32_t track_held_for(const struct track *t, const struct health_check *check, uint64_t now);
/* Checks pass, but it is held down. */
bool track_held(const struct track *t);

#endif
