"""Topics that are missing, cannot be read to their end, or go away: no call without a ledger, and on again after."""

import time

from commands import run, set_offsets
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import NewPartitions
from harness import STRUCTURED, until


def test_without_a_ledger_nothing_is_called(bridge):
    bridge.prepare()
    bridge.delete_topic("ledger")
    bridge.send(10)
    replica = bridge.start_replica("r1")
    # A broker that is slow to answer is passed over at the start; then the take-over of a partition says it.
    told = ("a right or a topic is missing", "partition blocked")
    until(lambda: [line for line in replica.log() if line["message"] in told
                   and bridge.topic("ledger") in line["detail"] and "topics --create" in line["detail"]],
          lambda: f"nobody says that the ledger is missing: {bridge.last_words()}")
    until(lambda: not replica.ready(), "it says that it is ready")
    time.sleep(2)
    assert bridge.decisions() == []
    bridge.create_topic("ledger", bridge.partitions)
    bridge.wait_outcomes()
    assert bridge.verdict().problems == {}


def test_a_ledger_that_cannot_be_read_to_its_end_holds_up_every_call(bridge):
    """Somebody's open transaction stands in the ledger: what lies behind it is not known."""
    bridge.settings = {"ledger": {"progressWarning": "2s"}}
    bridge.prepare()
    bridge.send(10, partition=0)
    stranger = Producer({"bootstrap.servers": bridge.servers, "transactional.id": bridge.name, "log_level": 0})
    stranger.init_transactions(30)
    stranger.begin_transaction()
    stranger.produce(bridge.topic("ledger"), partition=0, key=b"stranger", value=b"{}")
    assert stranger.flush(30) == 0
    replica = bridge.start_replica("r1")
    elsewhere = bridge.send(5, partition=1)
    bridge.wait_outcomes(5)
    time.sleep(3)
    assert sorted(bridge.starts()) == sorted(event.campaign for event in elsewhere)
    assert any("ledger-blocked" in str(line) for line in replica.log()), "nobody says what it waits for"
    stranger.abort_transaction(30)
    bridge.wait_outcomes()
    assert bridge.verdict().problems == {}


def test_results_that_an_open_transaction_holds_up_are_settled_first(bridge):
    """It may be the replica's own, left open by the broker: an abort of a later one would drop what was told."""
    # Results that stand for longer than this get a mark in any case.
    bridge.settings = {"transactions": {"timeout": "60s"}}
    bridge.prepare()
    stranger = Producer({"bootstrap.servers": bridge.servers, "transactional.id": bridge.name, "log_level": 0})
    stranger.init_transactions(30)
    stranger.begin_transaction()
    held = TopicPartition(bridge.topic("started"), 1)
    stranger.produce(held.topic, partition=held.partition, value=b"{}")
    assert stranger.flush(30) == 0
    looker = Consumer({"bootstrap.servers": bridge.servers, "group.id": "looker",
                       "isolation.level": "read_uncommitted"})
    assert looker.get_watermark_offsets(held, timeout=30)[1] == 1
    bridge.start_replica("r1")
    until(lambda: looker.get_watermark_offsets(held, timeout=30)[1] == 3, "no mark and its transaction's marker",
          40)
    stranger.abort_transaction(30)
    looker.close()
    bridge.send(5)
    bridge.wait_outcomes()
    assert bridge.verdict().problems == {}


def test_a_ledger_that_is_made_anew_is_believed_by_a_person_only(bridge):
    """P1: what it said of started events is gone. The places that the group has read to say that there was more."""
    bridge.settings = {"ledger": {"progressWarning": "3s"}, "kafka": {"statisticsInterval": "1s"}}
    bridge.prepare()
    bridge.send(20)
    replica = bridge.start_replica("r1")
    bridge.wait_outcomes()
    bridge.delete_topic("ledger")
    bridge.create_topic("ledger", bridge.partitions)

    def is_blocked(one) -> bool:
        lines = [line for line in one.log("partition blocked") if "had reached" in line.get("detail", "")]
        return len({line["partition"] for line in lines}) == bridge.partitions and not one.ready()

    def notices() -> bool:
        nonlocal replica
        if replica.process.poll() is not None:
            # From librdkafka 2.4 to 2.9 it may end by a fault of the library (#4778); a supervisor begins anew.
            assert replica.exit() in (6, -11)
            replica = bridge.start_replica("r1")
        return is_blocked(replica)

    def ends() -> None:
        replica.process.terminate()
        assert replica.exit() in (0, -11)

    until(notices, lambda: f"it does not notice: {bridge.last_words()}", 60)
    bridge.send(20)
    ends()
    replica = bridge.start_replica("r1")
    until(notices, lambda: f"its successor does not notice: {bridge.last_words()}", 60)
    checks = run(bridge, "check", check=1).result["checks"]
    assert any(check["state"] == "fail" and "had reached" in check["text"] for check in checks)
    ends()
    assert len(bridge.starts()) == 20
    accept_offsets(bridge)
    bridge.start_replica("r1")
    bridge.wait_outcomes()
    assert sorted(bridge.starts()) == sorted(event.campaign for event in bridge.events)


def accept_offsets(bridge) -> None:
    """As `kafka-consumer-groups.sh --reset-offsets --to-current` does it."""
    admin = bridge.admin()
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(bridge.name)])[bridge.name].result(30)
    set_offsets(bridge, bridge.name,
                [TopicPartition(place.topic, place.partition, place.offset) for place in asked.topic_partitions
                 if place.topic == bridge.topic("source")])


def test_a_source_partition_without_a_ledger_partition_stays_paused(bridge):
    bridge.create_topic("ledger", 2)
    bridge.create_topic("source", 4)
    bridge.start_simulator()
    for role in ("started", "dead", "control"):
        bridge.create_topic(role, 1)
    for partition in range(4):
        bridge.send(5, partition=partition)
    replica = bridge.start_replica("r1")
    bridge.wait_outcomes(10)
    until(lambda: len({line["partition"] for line in replica.log("partition blocked")}) == 2, "nobody says so")
    owned = {event.campaign for event in bridge.events[:10]}
    assert set(bridge.starts()) == owned


def test_the_ledger_gets_the_partitions_that_the_source_has_got(bridge):
    bridge.prepare()
    bridge.send(10)
    replica = bridge.start_replica("r1")
    bridge.wait_outcomes()
    admin = bridge.admin()
    for future in admin.create_partitions([NewPartitions(bridge.topic("source"), 6)]).values():
        future.result(30)
    bridge.producer = None
    for partition in (4, 5):
        bridge.send(5, partition=partition)
    # Found by the library's own look at the topics, every 30 s.
    until(lambda: len({line["partition"] for line in replica.log("partition blocked")}) == 2, "nobody says so")
    missing = {"topic": bridge.topic("ledger"), "state": "wrong",
               "detail": "4 partitions, it needs 6: add them with --create"}
    assert missing in run(bridge, "topics", check=1).result
    added = {**missing, "state": "extended", "detail": "6 partitions, it had 4"}
    assert added in run(bridge, "topics", "--create").result
    bridge.wait_outcomes()
    assert bridge.verdict().problems == {}
    run(bridge, "topics")


def test_a_result_topic_that_goes_away_pauses_and_loses_nothing(bridge):
    bridge.prepare()
    bridge.send(10)
    replica = bridge.start_replica("r1")
    bridge.wait_outcomes()
    for one in ("started", "dead"):
        bridge.delete_topic(one)
        bridge.tails.pop(one).close()
    first = len(bridge.events)
    bridge.send(50)
    # What was called before it was noticed has its outcome in hand.
    until(lambda: replica.log("a right or a topic is missing"), "nobody says that a result cannot be written")
    time.sleep(3)
    called = len(bridge.starts())
    time.sleep(3)
    assert len(bridge.starts()) == called, "it goes on calling although no result can be written"
    assert replica.process.poll() is None
    bridge.create_topic("started", bridge.partitions)
    bridge.create_topic("dead", bridge.partitions)
    before, bridge.events = bridge.events[:first], bridge.events[first:]
    bridge.wait_outcomes(50)
    gone = {event.campaign for event in before}
    bridge.decided = [line for line in bridge.decisions() if line["campaignId"] not in gone]
    assert bridge.verdict().problems == {}
    assert bridge.tail("dead").messages == []


def test_a_missing_source_is_waited_for(bridge):
    bridge.prepare()
    bridge.delete_topic("source")
    replica = bridge.start_replica("r1")
    until(lambda: any("does not exist" in str(line.get("error", "")) for line in replica.log()), "nobody says so")
    assert replica.get("/health/live")[0] == 200 and replica.get("/health/ready")[0] == 503
    bridge.create_topic("source", bridge.partitions)
    bridge.send(10)
    bridge.wait_outcomes()
    assert bridge.verdict().problems == {}


def test_a_source_that_is_made_anew_under_its_name_is_read_from_its_beginning(bridge):
    """Offsets count within one incarnation of a topic: what lies below the old place must not be skipped in silence."""
    bridge.settings = {"kafka": {"statisticsInterval": "1s"}}
    bridge.partitions = 1
    bridge.prepare()
    old = bridge.send(10)
    replica = bridge.start_replica("r1")
    bridge.wait_outcomes()
    bridge.delete_topic("source")
    until(lambda: [line for line in replica.log() if line["level"] == "warning" and "source" in str(line)],
          "nobody says that the source is gone")
    bridge.create_topic("source", 1)
    bridge.producer = None
    bridge.send(5, "anew")
    # The library may never read it again; then the process ends with that reason, and a supervisor begins anew.
    until(lambda: bridge.outcomes() >= 15 or replica.process.poll() is not None, bridge.last_words, 60)
    if replica.process.poll() is not None:
        # From librdkafka 2.4 to 2.9 it may end by a fault of the library (#4778).
        assert replica.exit() in (6, -11)
        bridge.start_replica("r1")
    bridge.wait_outcomes()
    # A repeat of an event of the old incarnation is still a repeat.
    bridge.produce([{"value": event.value, "headers": STRUCTURED} for event in old])
    bridge.send(20, "more")
    bridge.wait_outcomes()
    assert bridge.verdict().problems == {}
    assert len(bridge.starts()) == 35 and bridge.tail("dead").messages == []
