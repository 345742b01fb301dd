/*
 * A disk that fails when it is told to, and that forgets what was not synced.
 *
 * Preloaded into the host (LD_PRELOAD), it stands before the calls that write to the store's files: chatplug.db,
 * its -wal and its -journal in DISK_FOLDER.
 *
 * DISK_CONTROL names a file that may hold one fault, looked at before each call: "ENOSPC write", "EIO write",
 * "EIO fsync". An empty or missing file is a healthy disk. "clock 3600" in the place of a fault sets the machine's clock
 * for the host: it shows so many seconds more.
 *
 * DISK_SHADOW names a folder. There each file has a copy that holds what was synced, and only that: after a power
 * cut it is what a disk may show. Making, removing and renaming files counts as synced at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 8
#define FDS_MAX 65536
#define PATH_BYTES 1024

struct range {
    off_t from, to;
};

struct file {
    char path[PATH_BYTES], shadow[PATH_BYTES];
    struct range *dirty;
    size_t count, room;
};

static struct file files[FILES_MAX];
/* The file of a descriptor, counted from 1; 0 for all others. */
static unsigned char file_of[FDS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void find_the_real_ones(void)
{
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_pread = dlsym(RTLD_NEXT, "pread64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

/* The two words of the control file; 0 if it has none. */
static int told(char first[16], char second[16])
{
    const char *control = getenv("DISK_CONTROL");
    int fd = control ? real_open(control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    char text[64] = "";
    ssize_t got = real_pread(fd, text, sizeof text - 1, 0);
    real_close(fd);
    return got > 0 && sscanf(text, "%15s %15s", first, second) == 2;
}

/* The errno that the control file wants for a call; 0 for none. */
static int fault(const char *call)
{
    char name[16] = "", wanted[16] = "";
    if (!told(name, wanted) || strcmp(wanted, call) != 0)
        return 0;
    return strcmp(name, "ENOSPC") == 0 ? ENOSPC : EIO;
}

/* By how many seconds the machine's clock is set. */
static long clock_is_set_by(void)
{
    char name[16] = "", seconds[16] = "";
    return told(name, seconds) && strcmp(name, "clock") == 0 ? atol(seconds) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    /* Before this library is ready. */
    if (!real_clock_gettime)
        return syscall(SYS_clock_gettime, id, now);
    int done = real_clock_gettime(id, now);
    if (done == 0 && id == CLOCK_REALTIME) {
        int error = errno;
        now->tv_sec += clock_is_set_by();
        errno = error;
    }
    return done;
}

static void copy(int from, int to, off_t at, off_t end)
{
    char bytes[1 << 16];
    while (at < end) {
        size_t want = end - at < (off_t)sizeof bytes ? (size_t)(end - at) : sizeof bytes;
        ssize_t got = real_pread(from, bytes, want, at);
        if (got <= 0 || real_pwrite(to, bytes, got, at) != got)
            return;
        at += got;
    }
}

static off_t size_of(int fd)
{
    struct stat found;
    return fstat(fd, &found) == 0 ? found.st_size : 0;
}

/* The file of a path, counted from 1; 0 if it is none of the store's. */
static int find(const char *path)
{
    const char *folder = getenv("DISK_FOLDER");
    size_t length = folder ? strlen(folder) : 0;
    if (length == 0 || strncmp(path, folder, length) != 0 || path[length] != '/')
        return 0;
    const char *name = path + length + 1;
    if (strcmp(name, "chatplug.db") != 0 && strcmp(name, "chatplug.db-wal") != 0
        && strcmp(name, "chatplug.db-journal") != 0)
        return 0;
    for (int at = 0; at < FILES_MAX; at++) {
        if (files[at].path[0] == 0) {
            const char *shadow = getenv("DISK_SHADOW");
            snprintf(files[at].path, PATH_BYTES, "%s", path);
            if (shadow)
                snprintf(files[at].shadow, PATH_BYTES, "%s/%s", shadow, name);
        }
        if (strcmp(files[at].path, path) == 0)
            return at + 1;
    }
    abort();
}

/* What is there when the file is opened first was synced before. */
static void begin_shadow(struct file *file, int fd)
{
    if (file->shadow[0] == 0)
        return;
    int shadow = real_open(file->shadow, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (shadow < 0)
        return;
    int again = real_open(file->path, O_RDONLY | O_CLOEXEC);
    if (again >= 0) {
        copy(again, shadow, 0, size_of(fd));
        real_close(again);
    }
    real_close(shadow);
}

static int opened(const char *path, int fd)
{
    if (fd >= 0 && fd < FDS_MAX) {
        pthread_mutex_lock(&lock);
        int file = find(path);
        if (file != 0)
            begin_shadow(&files[file - 1], fd);
        file_of[fd] = file;
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

#define OPEN(NAME)                                        \
    int NAME(const char *path, int flags, ...)            \
    {                                                     \
        mode_t mode = 0;                                  \
        if (flags & (O_CREAT | O_TMPFILE)) {              \
            va_list more;                                 \
            va_start(more, flags);                        \
            mode = va_arg(more, mode_t);                  \
            va_end(more);                                 \
        }                                                 \
        return opened(path, real_open(path, flags, mode)); \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        file_of[fd] = 0;
    return real_close(fd);
}

static struct file *file(int fd)
{
    return fd >= 0 && fd < FDS_MAX && file_of[fd] != 0 ? &files[file_of[fd] - 1] : NULL;
}

static void note(struct file *file, off_t from, off_t to)
{
    struct range *last = file->count > 0 ? &file->dirty[file->count - 1] : NULL;
    if (last && last->to == from) {
        last->to = to;
        return;
    }
    if (file->count == file->room) {
        file->room = file->room * 2 + 64;
        file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
        if (!file->dirty)
            abort();
    }
    file->dirty[file->count++] = (struct range){from, to};
}

static ssize_t fail(int error)
{
    errno = error;
    return -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at)
{
    struct file *written = file(fd);
    if (!written)
        return real_pwrite(fd, bytes, count, at);
    int error = fault("write");
    if (error)
        return fail(error);
    pthread_mutex_lock(&lock);
    ssize_t done = real_pwrite(fd, bytes, count, at);
    if (done > 0)
        note(written, at, at + done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    return pwrite64(fd, bytes, count, at);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    if (!file(fd))
        return real_write(fd, bytes, count);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = pwrite64(fd, bytes, count, at);
    if (done > 0)
        lseek(fd, at + done, SEEK_SET);
    return done;
}

int ftruncate64(int fd, off_t size)
{
    return real_ftruncate(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return real_ftruncate(fd, size);
}

/* From now on a power cut leaves what the file holds. */
static int sync_with(int (*real)(int), int fd)
{
    struct file *synced = file(fd);
    if (!synced)
        return real(fd);
    int error = fault("fsync");
    if (error)
        return fail(error);
    pthread_mutex_lock(&lock);
    int shadow = synced->shadow[0] ? real_open(synced->shadow, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (shadow >= 0) {
        for (size_t at = 0; at < synced->count; at++)
            copy(fd, shadow, synced->dirty[at].from, synced->dirty[at].to);
        real_ftruncate(shadow, size_of(fd));
        real_close(shadow);
    }
    synced->count = 0;
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd)
{
    return sync_with(real_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_with(real_fdatasync, fd);
}

int unlink(const char *path)
{
    pthread_mutex_lock(&lock);
    int file = find(path);
    if (file != 0) {
        files[file - 1].count = 0;
        if (files[file - 1].shadow[0])
            real_unlink(files[file - 1].shadow);
    }
    pthread_mutex_unlock(&lock);
    return real_unlink(path);
}
