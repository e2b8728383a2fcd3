/* The ledger protocol (docs/model.md): two replicas, one source partition, one event identity.
 *
 * This file holds the state and the promises. world.pml is everything that is not ours: brokers, network, API, time,
 * operators. rules.pml is what a replica decides by, replica.pml what it does. scripts/check-model lists the
 * configurations and runs them.
 *
 * Configuration (-D):
 *   MAXATT n      attempts of the identity, 1..3
 *   RECORDS n     room in the source partition, 1..3
 *   DUPLICATE     record 1 repeats record 0
 *   CONFLICT      record 1 has the identity of record 0 and another campaign
 *   REPLAY        operators replay dead letters, wrongly too
 *   RETENTION     the ledger's entry may go after the event has expired, and the producer repeats then
 *   SOLO          one replica: killed, started again, fenced, but nobody else ever owns the partition
 *   NO_KILL       no process is killed
 *   ONLY_CALLS    check only that nothing is started twice: what a missing rule does to the people who are dialled
 *   SETTLES       check the end of all work as a temporal formula (pan -a)
 *   NO_<rule>     leaves out one rule; spin must find the damage
 */
#ifndef MAXATT
#define MAXATT 2
#endif
#ifndef RECORDS
#define RECORDS 1
#endif

/* Kinds of ledger entries. Terminal is STARTED and above. A safe dead letter says "provably not started". */
#define NONE 0
#define ATTEMPTING 1
#define RELEASED 2
#define STARTED 3
#define DEAD_SAFE 4
#define DEAD_UNKNOWN 5

/* What one transaction carries besides the offset. SIDE is a dead letter of a record that must not touch the entry of its
 * identity (a refused replay, an identity conflict); it is remembered under a key of the record's own. */
#define NOTHING 0
#define OP_INTENT 1
#define OP_RELEASE 2
#define OP_STARTED STARTED
#define OP_SAFE DEAD_SAFE
#define OP_UNKNOWN DEAD_UNKNOWN
#define OP_SIDE 6
#define OP_OFFSET 7

/* Phases of a replica. */
#define OFF 0
#define IDLE 1
#define FETCH 2
#define MARK 3
#define READ 4
#define RUN 5

/* A replica's transaction as the broker sees it. */
#define CLOSED 0
#define WRITTEN 1  /* open, its records are flushed to the ledger */
#define SENT 2     /* open, the offset is sent and pending */
#define ABORTED 3  /* by the coordinator; the process does not know yet */

/* A replica's own call, in its memory. MAYBE: the intent is in a transaction whose end is not known. READY: committed, not
 * called. YES and NO: an answer in hand (NO: provably not started). */
#define NOCALL 0
#define MAYBE 1
#define READY 2
#define FLYING 3
#define YES 4
#define NO 5

/* Findings of operators. */
#define NOFINDING 0
#define NOT_STARTED 1
#define WAS_STARTED 2

typedef Entry {
  unsigned kind : 3;
  unsigned gen : 2;
  unsigned att : 2;  /* counts on over all generations of the identity */
  unsigned who : 1;
  unsigned rec : 2   /* the source offset */
}

typedef Record {
  unsigned gen : 2;
  unsigned nonce : 2;    /* of the dead letter that a replay answers: its generation names it here */
  unsigned finding : 2;
  unsigned conflict : 1;
  unsigned outcome : 1;     /* a started event or dead letter is visible */
  unsigned suppressed : 1   /* counted as a duplicate */
}

typedef Process {
  unsigned phase : 3;
  unsigned current : 1;  /* the generation of the assignment in hand is the group's */
  unsigned kept : 1;     /* has owned the partition without a gap since its take-over began */
  unsigned tx : 2;
  unsigned op : 3;
  unsigned call : 3;
  unsigned callAtt : 2;
  unsigned pos : 2;      /* every record below is finished, as far as this process knows */
  unsigned sides : 3;    /* records that have a SIDE dead letter, as read */
  unsigned net : 1;      /* its request is on the way to the API; outlives the process */
  unsigned expired : 1;  /* its last token; before the first one as well */
  Entry view             /* the ledger as this process has read and written it */
}

Process rep[2];
Entry ledger;          /* committed, compacted */
Record source[RECORDS];
unsigned records : 2;    /* written to the source so far */
unsigned committed : 2;  /* group offset */
unsigned sides : 3;      /* committed SIDE entries */
unsigned late : 3;       /* late entry that fits the ledger's open attempt: NOCALL, YES or NO */
unsigned dead : 3;       /* bit g: a dead letter of generation g is visible */
bit owner;
bit calm;                /* no more faults: from here on everything must come to an end */
bit eventExpired;
bit retained;            /* an entry has gone by retention */

/* For the promises only; nobody can read these. */
unsigned starts : 2;  /* accepted by the API */
bit forgotten;        /* a living process threw away an answer of the ledger's open attempt */
bit closedSafe;       /* the last visible outcome says "provably not started" */

#define TERMINAL(e) (e.kind >= STARTED)
#define SAME(a, b) (a.kind == b.kind && a.gen == b.gen && a.att == b.att && a.who == b.who && a.rec == b.rec)

inline copy(to, from) {
  to.kind = from.kind; to.gen = from.gen; to.att = from.att; to.who = from.who; to.rec = from.rec
}

inline clear(e) { e.kind = NONE; e.gen = 0; e.att = 0; e.who = 0; e.rec = 0 }

/* With ONLY_CALLS the one promise that is checked is that no event is started twice. */
#ifdef ONLY_CALLS
#define promise(x) skip
#else
#define promise(x) assert(x)
#endif

/* P2: a record has one outcome. */
inline giveOutcome(i) {
  promise(!source[i].outcome && !source[i].suppressed);
  source[i].outcome = 1
}

inline suppress(i) {
  promise(!source[i].outcome);
  promise(!source[i].conflict);  /* L10: a conflict is never dropped as a duplicate */
  source[i].suppressed = 1
}

/* P2: nothing below the committed offset is without an outcome. */
inline moveOffset(to) {
  committed = to;
  promise(committed < 1 || source[0].outcome || source[0].suppressed);
#if RECORDS > 1
  promise(committed < 2 || source[1].outcome || source[1].suppressed);
#endif
#if RECORDS > 2
  promise(committed < 3 || source[2].outcome || source[2].suppressed)
#endif
}

#include "world.pml"
#include "rules.pml"
#include "replica.pml"

#ifdef SETTLES
/* Once the faults end, every record gets its end: no retry goes on for ever. */
ltl settles { [] (calm -> <> (committed == records)) }
#endif

init {
  atomic {
    rep[0].expired = 1; rep[1].expired = 1;
    records = 1;
#ifdef DUPLICATE
    records = 2;
#endif
#ifdef CONFLICT
    records = 2; source[1].conflict = 1;
#endif
    run Replica(0); run World(); run Judge();
#ifndef SOLO
    run Replica(1)
#endif
  }
}
