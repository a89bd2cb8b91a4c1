/* What stands between the hub and its kernel in a drill: preloaded into the hub, it makes calls fail, or the wall
   clock lie, as a file says. The file is named by CONCORD_DRILL and is read anew at each call; no file, no faults.

     f      syncs fail with EIO
     r      files can't be written: EROFS
     n N    a folder holds N bytes: what makes a file in it grow past them fails with ENOSPC
     c N    the wall clock is N seconds off */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The letter that is ordered, or 0; with its number. */
static char ordered(long *number) {
    const char *path = getenv("CONCORD_DRILL");
    char text[32] = {0};
    if (path == NULL) return 0;
    int before = errno;
    long file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (file >= 0) {
        long count = syscall(SYS_read, file, text, sizeof text - 1);
        if (count < 0) text[0] = 0;
        syscall(SYS_close, file);
    }
    errno = before;
    if (number != NULL) *number = text[0] == 0 ? 0 : strtol(text + 1, NULL, 10);
    return text[0];
}

static int fails(char letter, int error) {
    if (ordered(NULL) != letter) return 0;
    errno = error;
    return 1;
}

/* Sockets, pipes and what the hub says go on. */
static int is_kept(int file) {
    struct stat about;
    return file > 2 && fstat(file, &about) == 0 && S_ISREG(about.st_mode);
}

/* How much the files beside this one hold, itself among them; 0 if that can't be told. */
static off_t held_beside(int file) {
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    char *name = strrchr(path, '/');
    if (name == NULL) return 0;
    *name = 0;
    DIR *folder = opendir(path);
    if (folder == NULL) return 0;
    off_t held = 0;
    struct stat about;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        int is_file = fstatat(dirfd(folder), entry->d_name, &about, 0) == 0 && S_ISREG(about.st_mode);
        if (is_file) held += about.st_size;
    }
    closedir(folder);
    return held;
}

static int has_no_room(int file, off_t end) {
    struct stat about;
    long bytes = 0;
    if (!is_kept(file) || ordered(&bytes) != 'n' || fstat(file, &about) != 0 || end <= about.st_size) return 0;
    int before = errno;
    off_t held = held_beside(file);
    errno = before;
    if (held + end - about.st_size <= bytes) return 0;
    errno = ENOSPC;
    return 1;
}

static int can_not_write(int file, off_t end) {
    return is_kept(file) && (fails('r', EROFS) || has_no_room(file, end));
}

/* Where the next write of so many bytes ends. */
static off_t end_of_next(int file, size_t count) {
    struct stat about;
    int before = errno, flags = fcntl(file, F_GETFL);
    int appends = flags >= 0 && (flags & O_APPEND) != 0 && fstat(file, &about) == 0;
    off_t at = appends ? about.st_size : lseek(file, 0, SEEK_CUR);
    errno = before;
    return at < 0 ? 0 : at + (off_t)count;
}

int fsync(int file) { return fails('f', EIO) ? -1 : (int)syscall(SYS_fsync, file); }

int fdatasync(int file) { return fails('f', EIO) ? -1 : (int)syscall(SYS_fdatasync, file); }

ssize_t write(int file, const void *from, size_t count) {
    return can_not_write(file, end_of_next(file, count)) ? -1 : syscall(SYS_write, file, from, count);
}

ssize_t pwrite(int file, const void *from, size_t count, off_t at) {
    return can_not_write(file, at + (off_t)count) ? -1 : syscall(SYS_pwrite64, file, from, count, at);
}

ssize_t pwrite64(int file, const void *from, size_t count, off64_t at) {
    return can_not_write(file, at + (off_t)count) ? -1 : syscall(SYS_pwrite64, file, from, count, at);
}

int ftruncate(int file, off_t length) {
    return can_not_write(file, length) ? -1 : (int)syscall(SYS_ftruncate, file, length);
}

int ftruncate64(int file, off64_t length) {
    return can_not_write(file, length) ? -1 : (int)syscall(SYS_ftruncate, file, length);
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
    int device = strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
    if (writes && !device && fails('r', EROFS)) return -1;
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE_OF(flags, mode)                              \
    mode_t mode = 0;                                      \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {         \
        va_list more;                                     \
        va_start(more, flags);                            \
        mode = va_arg(more, mode_t);                      \
        va_end(more);                                     \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return opened(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return opened(folder, path, flags, mode);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    long off = 0;
    long outcome = syscall(SYS_clock_gettime, which, now);
    if (outcome == 0 && which == CLOCK_REALTIME && ordered(&off) == 'c') now->tv_sec += off;
    return (int)outcome;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    if (now != NULL) *now = exact.tv_sec;
    return exact.tv_sec;
}
