/* The bridge: one replica. Each step is atomic; between any two the process may be killed, or stop for as long as it likes. */

inline begin(what) {
  ME.op = what; ME.tx = WRITTEN;
  printf("%d: record %d, attempt %d: transaction with operation %d is flushed\n", me, ME.pos, ME.callAtt, what)
}

/* The transaction is known not to have committed. */
inline abandon() {
  if
  :: ME.op == OP_INTENT -> ME.call = NOCALL; ME.callAtt = 0
  :: else
  fi;
  ME.op = NOTHING; ME.tx = CLOSED
}

inline forgetView() { clear(VIEW); ME.pos = 0; ME.sides = 0 }

/* L5: a new producer, then the whole take-over; answers and calls stay in memory. */
inline takeOverAgain() {
#ifdef NO_L5_FORGET
  if
  :: ANSWERED && ledger.kind == ATTEMPTING && ledger.who == me && ledger.att == ME.callAtt -> forgotten = 1
  :: else
  fi;
  ME.call = NOCALL; ME.callAtt = 0;
#endif
  ME.phase = FETCH; forgetView()
}

/* The transaction is known to have committed. */
inline settle() {
  if
  :: ME.op == OP_INTENT ->
       VIEW.kind = ATTEMPTING; VIEW.gen = HERE.gen; VIEW.rec = ME.pos; VIEW.att = ME.callAtt; VIEW.who = me;
       ME.call = READY
  :: ME.op == OP_SIDE -> ME.pos++
  :: ME.op == OP_OFFSET
  :: else ->
       if
       :: OWN -> ME.call = NOCALL; ME.callAtt = 0
       :: else
       fi;
       VIEW.kind = ME.op;
       if
       :: ME.op != OP_RELEASE -> VIEW.gen = HERE.gen; VIEW.rec = ME.pos; ME.pos++
       :: else
       fi
  fi;
  ME.op = NOTHING; ME.tx = CLOSED
}

/* The offset moves to the end of what is finished, or stays: an earlier record of another identity may be unfinished. */
inline commit() {
  apply(me);
  if
  :: ME.op == OP_STARTED || ME.op == OP_SAFE || ME.op == OP_UNKNOWN || ME.op == OP_SIDE ->
       if
       :: moveOffset(ME.pos + 1)
       :: !calm
       fi
  :: else ->
       if
       :: moveOffset(ME.pos)
       :: !calm && ME.op != OP_OFFSET
       fi
  fi
}

/* What the memory makes of a ledger just read. */
inline recall() {
  if
#ifdef NO_L6
  :: VIEW.kind == ATTEMPTING && VIEW.who == me && (ME.call == NOCALL || ME.call == MAYBE) ->
       ME.callAtt = VIEW.att; ME.call = READY
#endif
  :: ME.call == MAYBE && OWN -> ME.call = READY   /* L6 */
  :: ME.call == MAYBE && !OWN -> ME.call = NOCALL; ME.callAtt = 0
  :: else
  fi
}

inline readLedger() {
  copy(VIEW, ledger); ME.sides = sides;
  recall();
  ME.phase = RUN;
  printf("%d: has read the ledger: kind %d, generation %d, attempt %d by %d\n", me, VIEW.kind, VIEW.gen, VIEW.att, VIEW.who)
}

proctype Replica(bit me) {
end:
  do
  /* ---- life ---- */
  :: atomic { ME.phase == OFF ->
              /* init_transactions aborts what the last process of this name left open. */
              ME.tx = CLOSED; ME.op = NOTHING; ME.phase = IDLE; ME.current = 0; ME.kept = 0;
              printf("%d: starts\n", me) }
#ifndef NO_KILL
  :: atomic { ME.phase != OFF && !calm ->
              ME.phase = OFF; ME.call = NOCALL; ME.callAtt = 0; ME.current = 0; ME.kept = 0; forgetView();
              if
              :: ME.tx == ABORTED -> ME.tx = CLOSED; ME.op = NOTHING
              :: else
              fi;
              printf("%d: is killed\n", me) }
#endif

  /* ---- group (L1: news end the open transaction) ---- */
#ifdef NO_L1
  :: atomic { ME.phase != OFF && !ME.current && ME.tx == CLOSED ->
#else
  :: atomic { ME.phase != OFF && !ME.current ->
              abandon();
#endif
              ME.current = 1;
              if
              :: owner == me && ME.kept && ME.phase != IDLE
              :: owner == me && !(ME.kept && ME.phase != IDLE) -> ME.kept = 1; takeOverAgain()
#ifdef NO_L5_REGAIN
              :: owner != me
#else
              :: owner != me -> ME.phase = IDLE; ME.kept = 0; forgetView()
#endif
              fi;
              printf("%d: hears of the assignment to %d\n", me, owner) }

  /* ---- take-over ---- */
#ifdef NO_ORDER
  /* The mark, then the offset. What is written behind the mark need not be read. */
  :: atomic { ME.phase == FETCH ->
              if
              :: IN_LEDGER -> ME.phase = READ
              :: NOT_IN_LEDGER -> copy(VIEW, ledger); ME.sides = sides; ME.phase = MARK
              fi }
  :: atomic { ME.phase == READ && NOTHING_OPEN -> copy(VIEW, ledger); ME.sides = sides; ME.phase = MARK }
  :: atomic { ME.phase == MARK && OTHER.tx != SENT -> ME.pos = committed; recall(); ME.phase = RUN }
#else
  :: atomic { ME.phase == FETCH && OTHER.tx != SENT ->
              ME.pos = committed; ME.phase = MARK; printf("%d: fetches offset %d\n", me, committed) }
  :: atomic { ME.phase == MARK ->
              if
              :: IN_LEDGER -> ME.phase = READ
              :: NOT_IN_LEDGER -> readLedger()
              fi }
  :: atomic { ME.phase == READ && NOTHING_OPEN -> readLedger() }
#endif

  /* ---- records that need no call ---- */
  :: atomic { READY_FOR_NEXT && HAS_SIDE -> ME.pos++ }
  :: atomic { READY_FOR_NEXT && !HAS_SIDE && !CONFLICTS && BELOW ->
              if
              :: VIEW.rec < ME.pos -> suppress(ME.pos)
              :: else
              fi;
              ME.pos++ }
  :: atomic { READY_FOR_NEXT && !HAS_SIDE && !CONFLICTS && !BELOW && DUPLICATE_HERE ->
              if
              :: MET_AGAIN
              :: else -> suppress(ME.pos); printf("%d: record %d is a duplicate\n", me, ME.pos)
              fi;
              ME.pos++ }
  :: atomic { READY_FOR_NEXT && !HAS_SIDE && (CONFLICTS || REFUSED) -> begin(OP_SIDE) }
  :: atomic { READY_FOR_NEXT && !HAS_SIDE && LICENCE && HERE.finding == WAS_STARTED -> begin(OP_STARTED) }

  /* ---- intents ---- */
  :: atomic { READY_FOR_NEXT && GO && ALIVE && VIEW.att < MAXATT && ME.call == NOCALL && !ME.net ->
              ME.call = MAYBE; ME.callAtt = VIEW.att + 1; ME.expired = 0; begin(OP_INTENT) }
#ifdef NO_INTENT
  :: atomic { ME.call == MAYBE && ME.tx == WRITTEN && !ME.net -> ME.net = 1; printf("%d: calls before the commit\n", me) }
#endif
#ifdef NO_L10
  /* The repeat does not wait for the record before it. */
  :: atomic { READY_FOR_NEXT && OF_HERE && OWN && ME.pos + 1 < records && VIEW.att < MAXATT && !ME.net ->
              ME.call = MAYBE; ME.callAtt = VIEW.att + 1; ME.expired = 0; begin(OP_INTENT) }
#endif
  :: atomic { READY_FOR_NEXT && GO && MAY_EXPIRE ->
              /* Where the entry may have gone by retention, "expired" does not say that nothing was started. */
              if
              :: retained && VIEW.kind == NONE -> begin(OP_UNKNOWN)
              :: else -> begin(OP_SAFE)
              fi }

  /* ---- the call ---- */
  :: atomic { ME.call == READY && !ME.expired && !ME.net -> ME.call = FLYING; ME.net = 1; printf("%d: calls\n", me) }
  :: atomic { ME.call == READY && ME.expired -> ME.call = NO; printf("%d: does not begin the call\n", me) }
  :: atomic { ME.call == FLYING -> ME.call = NOCALL; ME.callAtt = 0; printf("%d: gives up waiting\n", me) }

  /* ---- outcomes ---- */
  :: atomic { READY_FOR_NEXT && OF_HERE && OWN && ME.call == YES -> begin(OP_STARTED) }
  :: atomic { READY_FOR_NEXT && OF_HERE && OWN && ME.call == NO ->
              if
              :: begin(OP_RELEASE)
              :: begin(OP_SAFE)
              fi }

  /* ---- in doubt: wait for the lease, tail to a mark taken after the wait, read back, decide ---- */
  :: atomic { READY_FOR_NEXT && OF_HERE && !OWN && LEASE_OVER ->
              if
              :: LATE == YES -> begin(OP_STARTED)
              :: LATE == NO ->
                   if
                   :: begin(OP_RELEASE)
                   :: begin(OP_SAFE)
                   fi
              :: else ->
                   if
                   :: starts > 0 -> begin(OP_STARTED)
                   :: starts == 0 -> begin(OP_RELEASE)
                   :: promise(!SAME(VIEW, ledger) || late == NOCALL);   /* P3: what is written down is not called unknown */
                      begin(OP_UNKNOWN)
                   fi
              fi }

  /* ---- late answers (L3): a plain write, outside any transaction ---- */
  :: atomic { ANSWERED && ME.tx == CLOSED && (ME.phase == IDLE || (ME.phase == RUN && !OWN)) ->
#if defined(NO_L3_TERMINAL)
              /* Publishes the outcome itself. */
              promise(!source[ledger.rec].outcome);
              source[ledger.rec].outcome = 1; ledger.kind = (ME.call == YES -> STARTED : DEAD_SAFE);
#elif defined(NO_L3_FIT)
              late = ME.call;
#else
              if
              :: ledger.kind == ATTEMPTING && ledger.who == me && ledger.att == ME.callAtt ->
#ifdef NO_L3
                   forgotten = 1
#else
                   late = ME.call
#endif
              :: else
              fi;
#endif
              ME.call = NOCALL; ME.callAtt = 0; printf("%d: writes its answer late\n", me) }

  /* ---- the transaction ---- */
  :: atomic { MAY_BEGIN && ME.pos == records && ME.pos > committed -> begin(OP_OFFSET) }
#ifdef NO_L2
  /* An offset that does not move is not sent; the commit follows at once. */
  :: atomic { ME.tx == WRITTEN && ME.phase != OFF && (ME.op == OP_INTENT || ME.op == OP_RELEASE) ->
              apply(me); settle(); printf("%d: committed without offset\n", me) }
#endif
#ifdef NO_L2_ANSWER
  :: atomic { ME.tx == WRITTEN && ME.phase != OFF && !ME.current ->
              apply(me); settle(); printf("%d: committed although the offset was refused\n", me) }
#endif
  :: atomic { ME.tx == WRITTEN && ME.phase != OFF ->
              if
#ifdef NO_L1
              :: true -> ME.tx = SENT;
#else
              :: ME.current -> ME.tx = SENT;
#endif
              printf("%d: offset sent\n", me)
              :: else -> abandon(); printf("%d: illegal generation, aborts\n", me)
              fi }
  :: atomic { ME.tx == SENT && ME.phase != OFF && !calm -> abandon(); printf("%d: no answer to the offset, aborts\n", me) }
  :: atomic { ME.tx == SENT && ME.phase != OFF -> commit(); settle(); printf("%d: committed\n", me) }
  :: atomic { ME.tx == SENT && ME.phase != OFF && !calm ->
              /* The answer to the commit is lost; the new producer finds it done or makes it undone. */
              if
              :: commit(); printf("%d: commit unknown (done)\n", me)
              :: printf("%d: commit unknown (undone)\n", me)
              fi;
#if defined(NO_L5)
              abandon()   /* takes it for undone */
#elif defined(NO_L5_BELIEVE)
              settle()    /* takes it for done */
#else
              ME.op = NOTHING; ME.tx = CLOSED; takeOverAgain()
#endif
            }
  :: atomic { ME.tx == ABORTED && ME.phase != OFF -> abandon(); takeOverAgain(); printf("%d: fenced by the coordinator\n", me) }
  od
}
