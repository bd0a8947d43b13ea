/* Makes one system call of a process fail, as a disk would, below every library.
 *
 * Loaded by LD_PRELOAD. Once armed, it counts the calls that concern files under a folder, or a
 * handle that is named; the one of the given number fails with the given errno, or takes half of
 * its bytes. A fault that is due tells the name of its call to a handle. Besides, flock may be made
 * to fail from the start by the environment: XAVINIT_TEST_FLOCK is an errno.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[PATH_MAX];
static int turn, code, is_dead, watched = -1, teller = -1, count;

/* fault_arm: code 0 is a call that takes half of its bytes; is_dead: all later calls fail too. */
void fault_arm(const char *path, int handle, int number, int error, int dead, int told)
{
    snprintf(folder, sizeof folder, "%s/", path);
    watched = handle;
    turn = number;
    code = error;
    is_dead = dead;
    teller = told;
}

static int is_path(const char *path)
{
    return folder[0] && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_handle(int handle)
{
    char name[64], path[PATH_MAX];
    if (!folder[0])
        return 0;
    if (handle == watched)
        return 1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_path(path);
}

/* Is a fault due at this call? */
static int is_due(const char *name)
{
    count++;
    if (count < turn || (count > turn && !is_dead))
        return 0;
    dprintf(teller, "%s\n", name);
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* A call that has no bytes to halve: a short one of it is a whole one. */
#define PLAIN(name, concerns, parameters, ...)            \
    int name parameters                                   \
    {                                                     \
        if ((concerns) && is_due(#name) && code) {        \
            errno = code;                                 \
            return -1;                                    \
        }                                                 \
        return REAL(name)(__VA_ARGS__);                   \
    }

#define BYTES(name, parameters, ...)                      \
    ssize_t name parameters                               \
    {                                                     \
        if (is_handle(handle) && is_due(#name)) {         \
            if (code) {                                   \
                errno = code;                             \
                return -1;                                \
            }                                             \
            size = (size + 1) / 2;                        \
        }                                                 \
        return REAL(name)(__VA_ARGS__);                   \
    }

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...)            \
    {                                                     \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode_t mode = va_arg(rest, mode_t);               \
        va_end(rest);                                     \
        if (is_path(path) && is_due(#name) && code) {     \
            errno = code;                                 \
            return -1;                                    \
        }                                                 \
        return REAL(name)(path, flags, mode);             \
    }

OPEN(open)
OPEN(open64)
BYTES(read, (int handle, void *data, size_t size), handle, data, size)
BYTES(pread, (int handle, void *data, size_t size, off_t at), handle, data, size, at)
BYTES(pread64, (int handle, void *data, size_t size, off64_t at), handle, data, size, at)
BYTES(write, (int handle, const void *data, size_t size), handle, data, size)
BYTES(pwrite, (int handle, const void *data, size_t size, off_t at), handle, data, size, at)
BYTES(pwrite64, (int handle, const void *data, size_t size, off64_t at), handle, data, size, at)
PLAIN(fsync, is_handle(handle), (int handle), handle)
PLAIN(ftruncate, is_handle(handle), (int handle, off_t size), handle, size)
PLAIN(ftruncate64, is_handle(handle), (int handle, off64_t size), handle, size)
PLAIN(link, is_path(from), (const char *from, const char *to), from, to)
PLAIN(rename, is_path(from), (const char *from, const char *to), from, to)
PLAIN(unlink, is_path(path), (const char *path), path)
PLAIN(mkdir, is_path(path), (const char *path, mode_t mode), path, mode)
PLAIN(rmdir, is_path(path), (const char *path), path)
PLAIN(chmod, is_path(path), (const char *path, mode_t mode), path, mode)
PLAIN(lchown, is_path(path), (const char *path, uid_t user, gid_t group), path, user, group)

int flock(int handle, int operation)
{
    const char *error = getenv("XAVINIT_TEST_FLOCK");
    if (error) {
        errno = atoi(error);
        return -1;
    }
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(handle, operation);
}
