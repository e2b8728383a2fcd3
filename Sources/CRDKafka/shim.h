#ifndef CAMPAIGN_BRIDGE_CRDKAFKA_H
#define CAMPAIGN_BRIDGE_CRDKAFKA_H
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#endif
