"""scripts/kafka gives the tests a broker that keeps what it acknowledged through a kill."""

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic


def test_a_killed_node_comes_back_on_its_port_with_its_records(cluster):
    servers = cluster.up("--set", "num.partitions=1")
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_topics([NewTopic("kept", 1, 1)]).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": servers})
    producer.produce("kept", b"value", key=b"key")
    assert producer.flush(30) == 0
    cluster.do("kill", "1")
    cluster.do("start", "1")
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.subscribe(["kept"])
    try:
        record = consumer.poll(60)
        assert record is not None and record.error() is None
        assert (record.key(), record.value()) == (b"key", b"value")
    finally:
        consumer.close()


def test_a_proxy_can_stand_between_a_client_and_every_node(cluster):
    cluster.up("--nodes", "2", "--proxied")
    pairs = [cluster.env[f"KAFKA_PROXY_{node}"].split(":") for node in (1, 2)]
    proxies = {f"{host}:{port}" for host, port, _, _ in pairs}
    upstream = f"{pairs[0][2]}:{pairs[0][3]}"
    assert set(cluster.env["KAFKA_PROXIED_BOOTSTRAP_SERVERS"].split(",")) == proxies
    # A client that comes in on the upstream port is told the proxy's address for every node.
    metadata = AdminClient({"bootstrap.servers": upstream}).list_topics(timeout=30)
    assert {f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()} == proxies
