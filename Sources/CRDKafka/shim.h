#ifndef CAMPAIGN_BRIDGE_CRDKAFKA_H
#define CAMPAIGN_BRIDGE_CRDKAFKA_H
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* Enqueues one record, whose bytes are copied. A NULL key or value is a null one, a non-NULL pointer of size 0 an empty
 * one. On success librdkafka owns the headers, on failure the caller still does. */
static inline rd_kafka_error_t *
crdkafka_produce(rd_kafka_t *rk, rd_kafka_topic_t *topic, int32_t partition,
                 const void *key, size_t key_size, const void *value,
                 size_t value_size, rd_kafka_headers_t *headers, void *opaque) {
        rd_kafka_vu_t vus[7];
        vus[0].vtype      = RD_KAFKA_VTYPE_RKT;
        vus[0].u.rkt      = topic;
        vus[1].vtype      = RD_KAFKA_VTYPE_PARTITION;
        vus[1].u.i32      = partition;
        vus[2].vtype      = RD_KAFKA_VTYPE_MSGFLAGS;
        vus[2].u.i        = RD_KAFKA_MSG_F_COPY;
        vus[3].vtype      = RD_KAFKA_VTYPE_KEY;
        vus[3].u.mem.ptr  = (void *)key;
        vus[3].u.mem.size = key_size;
        vus[4].vtype      = RD_KAFKA_VTYPE_VALUE;
        vus[4].u.mem.ptr  = (void *)value;
        vus[4].u.mem.size = value_size;
        vus[5].vtype      = RD_KAFKA_VTYPE_OPAQUE;
        vus[5].u.ptr      = opaque;
        vus[6].vtype      = RD_KAFKA_VTYPE_HEADERS;
        vus[6].u.headers  = headers;
        return rd_kafka_produceva(rk, vus, headers ? 7 : 6);
}

/* Sets the time that a mock group waits for further members at its first join, where the library can (2.8). Older ones
 * wait three seconds. */
static inline void
crdkafka_mock_group_initial_delay(rd_kafka_mock_cluster_t *cluster, int milliseconds) {
#if RD_KAFKA_VERSION >= 0x02080000
        rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, milliseconds);
#else
        (void)cluster;
        (void)milliseconds;
#endif
}
#endif
