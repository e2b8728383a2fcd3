#ifndef CAMPAIGN_BRIDGE_CMICROHTTPD_H
#define CAMPAIGN_BRIDGE_CMICROHTTPD_H
#include <microhttpd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* What Swift cannot import by itself: the variadic functions, and macros with casts. */

struct cb_mhd_settings {
    int listen_socket;
    unsigned int connection_limit;
    unsigned int per_address_limit;
    unsigned int timeout_seconds;
    unsigned int threads;
    size_t connection_memory;
    /* NUL-terminated PEM texts, or NULL without TLS; must live until the daemon has stopped. */
    const char *certificate;
    const char *key;
    const char *priorities;
    void *context;
    MHD_AccessHandlerCallback handle;
    void *(*begin)(void *context, const char *target, struct MHD_Connection *connection);
    MHD_RequestCompletedCallback completed;
    /* Takes one formatted report. */
    void (*log)(void *context, const char *line);
};

static inline void cb_mhd_log(void *settings, const char *format, va_list arguments) {
    const struct cb_mhd_settings *s = (const struct cb_mhd_settings *)settings;
    char line[301];
    vsnprintf(line, sizeof line, format, arguments);
    s->log(s->context, line);
}

/* The settings must live until the daemon has stopped: its reports go through them. */
static inline struct MHD_Daemon *cb_mhd_start(const struct cb_mhd_settings *s) {
    struct MHD_OptionItem items[16];
    unsigned int flags =
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    int n = 0;
#define CB_ITEM(o, v, p)                      \
    do {                                      \
        items[n].option = (o);                \
        items[n].value = (intptr_t)(v);       \
        items[n].ptr_value = (void *)(p);     \
        n++;                                  \
    } while (0)
    CB_ITEM(MHD_OPTION_LISTEN_SOCKET, s->listen_socket, NULL);
    CB_ITEM(MHD_OPTION_CONNECTION_LIMIT, s->connection_limit, NULL);
    CB_ITEM(MHD_OPTION_PER_IP_CONNECTION_LIMIT, s->per_address_limit, NULL);
    CB_ITEM(MHD_OPTION_CONNECTION_TIMEOUT, s->timeout_seconds, NULL);
    CB_ITEM(MHD_OPTION_CONNECTION_MEMORY_LIMIT, s->connection_memory, NULL);
    CB_ITEM(MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
    CB_ITEM(MHD_OPTION_URI_LOG_CALLBACK, s->begin, s->context);
    CB_ITEM(MHD_OPTION_NOTIFY_COMPLETED, s->completed, s->context);
    if (s->threads > 1) CB_ITEM(MHD_OPTION_THREAD_POOL_SIZE, s->threads, NULL);
    if (s->certificate) {
        flags |= MHD_USE_TLS;
        CB_ITEM(MHD_OPTION_HTTPS_MEM_CERT, 0, s->certificate);
        CB_ITEM(MHD_OPTION_HTTPS_MEM_KEY, 0, s->key);
        CB_ITEM(MHD_OPTION_HTTPS_PRIORITIES, 0, s->priorities);
    }
    CB_ITEM(MHD_OPTION_END, 0, NULL);
#undef CB_ITEM
    /* The logger comes first: what is said about the options after it would go to stderr otherwise. */
    return MHD_start_daemon(flags, 0, NULL, NULL, s->handle, s->context,
                            MHD_OPTION_EXTERNAL_LOGGER, cb_mhd_log, (void *)s,
                            MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

static inline int cb_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static inline const struct sockaddr *cb_mhd_client(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

static inline void cb_mhd_headers(struct MHD_Connection *connection, MHD_KeyValueIteratorN each, void *context) {
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, each, context);
}

static inline unsigned int cb_mhd_connections(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/* The memory is copied: the answer outlives the call that queues it. */
static inline struct MHD_Response *cb_mhd_bytes(const void *bytes, size_t count) {
    return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

static inline struct MHD_Response *cb_mhd_stream(uint64_t size, MHD_ContentReaderCallback reader, void *context,
                                                 MHD_ContentReaderFreeCallback release) {
    return MHD_create_response_from_callback(size, 16384, reader, context, release);
}

static const uint64_t cb_mhd_size_unknown = MHD_SIZE_UNKNOWN;
static const ssize_t cb_mhd_end_of_stream = MHD_CONTENT_READER_END_OF_STREAM;
static const ssize_t cb_mhd_end_with_error = MHD_CONTENT_READER_END_WITH_ERROR;

/* Ends a TCP connection with a reset at once. On Linux, connecting to AF_UNSPEC does it although libmicrohttpd will
   still shut the socket down in its own, orderly way; elsewhere the reset comes when the socket is closed. */
static inline void cb_reset(int socket) {
    struct linger hard = {1, 0};
    struct sockaddr none;
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
#ifdef __linux__
    memset(&none, 0, sizeof none);
    none.sa_family = AF_UNSPEC;
    (void)connect(socket, &none, sizeof none);
#else
    (void)none;
#endif
}

/* Sends what fits without waiting, and never raises SIGPIPE. */
static inline ssize_t cb_send(int socket, const void *bytes, size_t count) {
    return send(socket, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Whether the other side has closed or reset; never waits and takes no byte from the socket. */
static inline int cb_peer_gone(int socket) {
#ifdef POLLRDHUP
    struct pollfd p = {socket, POLLRDHUP, 0};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
#elif defined(__linux__)
    struct pollfd p = {socket, 0x2000, 0};
    return poll(&p, 1, 0) > 0 && p.revents != 0;
#else
    char byte;
    return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
#endif
}
#endif
