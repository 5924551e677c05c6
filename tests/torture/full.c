/* Preloaded, has the n-th write below a directory fail, and all after it, as those to a full disk do. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *below;
static long *left;
static int code;

/* From now on, `*writes` below `directory` succeed, and each further one fails with `error`; `*writes` falls with each. */
void fail_after(const char *directory, long *writes, int error) { left = writes; code = error; below = strdup(directory); }

static int fails(int fd)
{
    char link[64], path[4096];
    if (!below)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    if (strncmp(path, below, strlen(below)))
        return 0;
    return __atomic_fetch_sub(left, 1, __ATOMIC_SEQ_CST) <= 0;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL(fd) if (fails(fd)) { errno = code; return -1; }

ssize_t write(int fd, const void *data, size_t n) { REAL(write); FAIL(fd) return real(fd, data, n); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { REAL(pwrite); FAIL(fd) return real(fd, data, n, at); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { REAL(pwrite64); FAIL(fd) return real(fd, data, n, at); }
ssize_t writev(int fd, const struct iovec *parts, int n) { REAL(writev); FAIL(fd) return real(fd, parts, n); }
int ftruncate(int fd, off_t n) { REAL(ftruncate); FAIL(fd) return real(fd, n); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); FAIL(fd) return real(fd, n); }
