/* What a replica decides by: conditions over its own memory. Each rule that can be left out is here or in replica.pml. */

#define ME rep[me]
#define OTHER rep[1 - me]
#define VIEW rep[me].view
#define HERE source[rep[me].pos]

/* The open attempt that this process has read is its own, and it still knows of it. */
#define OWN (ME.call != NOCALL && VIEW.kind == ATTEMPTING && VIEW.who == me && VIEW.att == ME.callAtt)
/* The open attempt was made for the record at hand. */
#define OF_HERE (VIEW.kind == ATTEMPTING && VIEW.rec == ME.pos)
#define ANSWERED (ME.call == YES || ME.call == NO)
/* Free to begin a transaction for the lowest unfinished record (L10: only that one). */
#define MAY_BEGIN (ME.phase == RUN && ME.tx == CLOSED && (!calm || ME.current))   /* when calm, news come first */
#define READY_FOR_NEXT (MAY_BEGIN && ME.pos < records)
#define HAS_SIDE ((ME.sides >> ME.pos) & 1)
#ifdef NO_L10_CONFLICT
#define CONFLICTS 0
#else
#define CONFLICTS (HERE.conflict && VIEW.kind != NONE && VIEW.rec != ME.pos)
#endif
#define DEAD(e) (e.kind == DEAD_SAFE || e.kind == DEAD_UNKNOWN)

/* L4. */
#ifdef NO_L4
#define BELOW 0
#define SAME_GENERATION (HERE.gen <= VIEW.gen)
#else
#define BELOW (VIEW.kind != NONE && HERE.gen < VIEW.gen)
#define SAME_GENERATION (HERE.gen == VIEW.gen)
#endif
#ifdef NO_L4_OWN
#define MET_AGAIN 0
#else
#define MET_AGAIN (VIEW.rec == ME.pos)
#endif
#define ABOVE (HERE.gen > VIEW.gen)
#define DUPLICATE_HERE (TERMINAL(VIEW) && (SAME_GENERATION || (ABOVE && VIEW.kind == STARTED)))

/* L9. */
#define NEXT_OF_DEAD (DEAD(VIEW) && ABOVE)
#define ENTRY_GONE (VIEW.kind == NONE && ABOVE)
#ifdef NO_L9_NONCE
#define RIGHT_LETTER 1
#else
#define RIGHT_LETTER (HERE.gen == VIEW.gen + 1 && HERE.nonce == VIEW.gen)
#endif
#ifdef NO_L9_FINDING
#define FINDING_ENOUGH 1
#else
#define FINDING_ENOUGH (VIEW.kind == DEAD_SAFE || HERE.finding != NOFINDING)
#endif
#ifdef NO_L9
#define LICENCE (NEXT_OF_DEAD || ENTRY_GONE)
#elif defined(NO_L9_GONE)
#define LICENCE ((NEXT_OF_DEAD && RIGHT_LETTER && FINDING_ENOUGH) || ENTRY_GONE)
#else
#define LICENCE ((NEXT_OF_DEAD && RIGHT_LETTER && FINDING_ENOUGH) || (ENTRY_GONE && HERE.finding != NOFINDING))
#endif
#define REFUSED ((NEXT_OF_DEAD || ENTRY_GONE) && !LICENCE)

#define GO (!HAS_SIDE && !CONFLICTS && !BELOW && \
            ((SAME_GENERATION && (VIEW.kind == NONE || VIEW.kind == RELEASED)) || \
             (LICENCE && HERE.finding != WAS_STARTED)))

/* L8: an event past its expiry is not called. Replays have an expiry of their own. */
#ifdef RETENTION
#define ALIVE (!eventExpired || HERE.gen > 0)
#define MAY_EXPIRE (eventExpired || HERE.gen > 0)
#else
#define ALIVE 1
#define MAY_EXPIRE 1
#endif

#ifdef NO_LEASE
#define LEASE_OVER 1
#else
#define LEASE_OVER (rep[VIEW.who].expired)
#endif

/* The late entry of exactly the open attempt, as tailing shows it. */
#if defined(NO_L3_TAIL)
#define LATE NOCALL
#elif defined(NO_L3_FIT)
#define LATE late
#else
#define LATE (SAME(VIEW, ledger) -> late : NOCALL)
#endif

/* Does an open transaction of the other stand below the high watermark? */
#define NOTHING_OPEN (OTHER.tx != WRITTEN && OTHER.tx != SENT)
#ifdef NO_FLUSH
/* The offset may be sent before the records have reached the ledger. */
#define IN_LEDGER (OTHER.tx == SENT)
#define NOT_IN_LEDGER 1
#else
#define IN_LEDGER (!NOTHING_OPEN)
#define NOT_IN_LEDGER NOTHING_OPEN
#endif
