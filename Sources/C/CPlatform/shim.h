#ifndef CARILLON_CPLATFORM_H
#define CARILLON_CPLATFORM_H
// What Carillon needs of the operating system beyond what Swift's Glibc module shows:
// open-file-description locks (they belong to the handle, not to the process) and inotify.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#endif

static inline struct flock carillon_whole_file(short type) {
    struct flock l;
    memset(&l, 0, sizeof l);
    l.l_type = type;
    l.l_whence = SEEK_SET;
    return l;
}
// 0 when taken, else errno.
static inline int carillon_lock(int fd, int wait) {
    struct flock l = carillon_whole_file(F_WRLCK);
    int r;
    do { r = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l); } while (r < 0 && errno == EINTR);
    return r < 0 ? errno : 0;
}
static inline int carillon_unlock(int fd) {
    struct flock l = carillon_whole_file(F_UNLCK);
    return fcntl(fd, F_OFD_SETLK, &l) < 0 ? errno : 0;
}
// 1 when another handle holds it, 0 when free, negative errno.
static inline int carillon_is_locked(int fd) {
    struct flock l = carillon_whole_file(F_WRLCK);
    if (fcntl(fd, F_OFD_GETLK, &l) < 0) return -errno;
    return l.l_type != F_UNLCK;
}
static inline int carillon_open(const char *path, int flags, int mode) { return open(path, flags | O_CLOEXEC, mode); }
#endif
