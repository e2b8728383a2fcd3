"""Seeded trouble on a real broker: `python -m chaos --help`, docs/chaos.md.

plan       what happens when, from a seed alone
mix        the events, with repeats, conflicts, noise
producer   a process that sends them and writes down what it sent
network    TCP proxies between replicas, brokers and the API
world      brokers, API, replicas, producer, and who of them runs
actions    how each kind of trouble is made and undone
people     holds
replays    dead letters replayed, rightly and wrongly
times      how long what took, from the logs
run        one whole run with its verdict
"""
