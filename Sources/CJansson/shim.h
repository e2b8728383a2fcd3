#ifndef CAMPAIGN_BRIDGE_CJANSSON_H
#define CAMPAIGN_BRIDGE_CJANSSON_H
#include <jansson.h>
#endif
