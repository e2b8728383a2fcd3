/* Everything that is not the bridge: group coordinator, transaction coordinator, network, API, time, producers, operators. */

#ifdef NO_L3_FIT
#define CLEAR_LATE skip
#else
#define CLEAR_LATE late = NOCALL
#endif

/* The content of replica r's transaction becomes visible, all of it at once. */
inline apply(r) {
  if
  :: rep[r].op == OP_INTENT ->
       ledger.kind = ATTEMPTING; ledger.gen = source[rep[r].pos].gen; ledger.rec = rep[r].pos;
       ledger.att = rep[r].callAtt; ledger.who = r;
       CLEAR_LATE; forgotten = 0; closedSafe = 0
  :: rep[r].op == OP_RELEASE ->
       copy(ledger, rep[r].view); ledger.kind = RELEASED;
       CLEAR_LATE; forgotten = 0
  :: rep[r].op == OP_STARTED || rep[r].op == OP_SAFE || rep[r].op == OP_UNKNOWN ->
       /* P1, P3: what is published is true, and what a living process knew was not called unknown. */
       promise(rep[r].op != OP_STARTED || starts > 0);
       promise(rep[r].op != OP_SAFE || starts == 0);
       promise(rep[r].op != OP_UNKNOWN || !forgotten);
       giveOutcome(rep[r].pos);
       copy(ledger, rep[r].view);
       ledger.kind = rep[r].op; ledger.gen = source[rep[r].pos].gen; ledger.rec = rep[r].pos;
       CLEAR_LATE; forgotten = 0;
       closedSafe = (rep[r].op == OP_SAFE);
       if
       :: rep[r].op != OP_STARTED -> dead = dead | (1 << ledger.gen)
       :: else
       fi
  :: rep[r].op == OP_SIDE ->
       giveOutcome(rep[r].pos);
#ifndef NO_SIDE
       sides = sides | (1 << rep[r].pos)
#endif
  :: else
  fi
}

/* The network delivers the request of replica r. The token is the lease: past its expiry the API accepts nothing. The answer
 * finds only the process that sent it, and may be lost (the process gives up waiting by itself, see replica.pml). */
inline deliver(r) {
  if
#ifdef NO_L7
  :: true ->
#else
  :: !rep[r].expired ->
#endif
       printf("api: accepts the call of %d\n", r);
       starts++;
       assert(starts <= 1);   /* P1 */
       promise(!closedSafe);   /* P1: nothing starts behind "provably not started" */
       if
       :: rep[r].call == FLYING -> rep[r].call = YES; printf("api: %d has the answer yes\n", r)
       :: true -> printf("api: the answer is lost\n")
       fi
  :: true ->
       printf("api: does not accept the call of %d\n", r);
       if
       :: rep[r].call == FLYING -> rep[r].call = NO; printf("api: %d has the answer no\n", r)
       :: true -> printf("api: the answer is lost\n")
       fi
  fi;
  rep[r].net = 0
}

inline rebalance(to) {
  owner = to;
  rep[0].current = 0; rep[1].current = 0;
#ifndef NO_L5_REGAIN
  rep[1 - to].kept = 0
#endif
}

inline endByCoordinator(r) {
  if
  :: rep[r].phase == OFF -> rep[r].tx = CLOSED; rep[r].op = NOTHING
  :: else -> rep[r].tx = ABORTED
  fi
}

proctype World() {
end:
  do
  /* The group gives the partition to a replica; members hear of it later (a zombie much later). */
  :: atomic { !calm && rep[0].phase != OFF -> rebalance(0); printf("group: new generation, 0 owns\n") }
#ifndef SOLO
  :: atomic { !calm && rep[1].phase != OFF -> rebalance(1); printf("group: new generation, 1 owns\n") }
#endif

  /* The transaction coordinator ends what has been open for too long. */
  :: atomic { (rep[0].tx == WRITTEN || rep[0].tx == SENT) && (!calm || rep[0].phase == OFF) ->
              endByCoordinator(0); printf("coordinator: aborts the transaction of 0\n") }
  :: atomic { (rep[1].tx == WRITTEN || rep[1].tx == SENT) && (!calm || rep[1].phase == OFF) ->
              endByCoordinator(1); printf("coordinator: aborts the transaction of 1\n") }

  :: atomic { rep[0].net -> deliver(0) }
  :: atomic { rep[1].net -> deliver(1) }

  :: atomic { !rep[0].expired -> rep[0].expired = 1; printf("time: the token of 0 expires\n") }
  :: atomic { !rep[1].expired -> rep[1].expired = 1; printf("time: the token of 1 expires\n") }

#ifdef REPLAY
  /* Operators answer a dead letter that is visible, perhaps twice, perhaps an old one, with or without a finding. A finding
   * is true when it is written. */
  :: atomic { dead && records < RECORDS ->
              if
              :: source[records].gen = 1
              :: source[records].gen = 2
              fi;
              if
              :: dead & 1 -> source[records].nonce = 0
              :: dead & 2 -> source[records].nonce = 1
              :: dead & 4 -> source[records].nonce = 2
              fi;
              if
              :: source[records].finding = NOFINDING
              :: source[records].finding = (starts > 0 -> WAS_STARTED : NOT_STARTED)
              fi;
              printf("operator: record %d, generation %d, nonce %d, finding %d\n", records, source[records].gen,
                     source[records].nonce, source[records].finding);
              records++ }
#endif

#ifdef RETENTION
  :: atomic { !eventExpired -> eventExpired = 1; printf("time: the event expires\n") }
  /* Repeats after the window are outside the promise. */
  :: atomic { records < RECORDS && !(retained && eventExpired) ->
              printf("producer: repeats the event as record %d\n", records); records++ }
  /* What is finished goes after the window, and the window is longer than any event lives (L8). The margin between them is
   * the time in which the offset moves behind a finished record. */
#ifdef NO_L8
  :: atomic { TERMINAL(ledger) && committed == records ->
#else
  :: atomic { TERMINAL(ledger) && committed == records && eventExpired ->
#endif
              /* What a process has read ages with the topic. */
              if
              :: SAME(rep[0].view, ledger) -> clear(rep[0].view)
              :: else
              fi;
              if
              :: SAME(rep[1].view, ledger) -> clear(rep[1].view)
              :: else
              fi;
              clear(ledger); retained = 1; printf("ledger: the entry goes by retention\n") }
#endif

  :: atomic { !calm -> calm = 1; printf("world: no more faults\n") }
  od
}

/* When nothing can happen any more, everything has happened: no record is stuck, no request pending. */
proctype Judge() {
end:
  do
  :: atomic { timeout ->
              promise(committed == records);
              promise(TERMINAL(ledger) || retained);
              promise(!rep[0].net && !rep[1].net && rep[0].call <= MAYBE && rep[1].call <= MAYBE);
              break }
  od
}
