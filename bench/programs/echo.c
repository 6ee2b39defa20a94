/* The least an HTTP endpoint can do on Linux: read a request whole, write the same answer each
 * time. Usage: echo PORT BODY_BYTES; answers with that many bytes. One thread, epoll, keep-alive. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, MAX_REQUEST = 1 << 16, EVENTS = 64 };

struct connection {
    char *data;
    size_t used;
};

static struct connection connections[MAX_CONNECTIONS];

/* The length of the first request in the buffer; 0 while it is not complete. */
static size_t request_length(struct connection *c) {
    c->data[c->used] = 0;
    char *end = strstr(c->data, "\r\n\r\n");
    if (end == NULL) return 0;
    size_t length = (size_t)(end + 4 - c->data);
    for (char *line = c->data; line < end; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, "content-length:", 15) == 0) length += strtoul(line + 15, NULL, 10);
    return c->used >= length ? length : 0;
}

static void answer(int fd, const char *reply, size_t size) {
    struct connection *c = &connections[fd];
    ssize_t got = read(fd, c->data + c->used, MAX_REQUEST - c->used - 1);
    if (got <= 0) {
        close(fd);
        return;
    }
    c->used += (size_t)got;
    for (size_t length; (length = request_length(c)) > 0;) {
        memmove(c->data, c->data + length, c->used - length);
        c->used -= length;
        if (write(fd, reply, size) < 0) perror("write");
    }
}

static void welcome(int listener, int queue) {
    int one = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0 || fd >= MAX_CONNECTIONS) exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connections[fd].data == NULL) connections[fd].data = malloc(MAX_REQUEST);
    connections[fd].used = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    size_t body = strtoul(arguments[2], NULL, 10);
    char *reply = malloc(body + 200);
    size_t size = (size_t)sprintf(reply,
                                  "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                                  "Content-Length: %zu\r\n\r\n",
                                  body);
    memset(reply + size, 'x', body);
    size += body;

    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), queue = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_port = htons((unsigned short)atoi(arguments[1])),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 1024)) return 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(queue, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            if (events[i].data.fd == listener) welcome(listener, queue);
            else answer(events[i].data.fd, reply, size);
    }
}
