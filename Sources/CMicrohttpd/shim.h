#ifndef CAMPAIGN_BRIDGE_CMICROHTTPD_H
#define CAMPAIGN_BRIDGE_CMICROHTTPD_H
#include <microhttpd.h>
#endif
