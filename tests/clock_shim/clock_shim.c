/* Shifts the clocks of the date by the offset in a file, in seconds; other clocks are not changed.
 *
 * The file is read again whenever it is replaced or written. Its name is in WRONG_CLOCK_OFFSET_FILE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static __thread long long offset_nanoseconds;
static __thread struct timespec read_at;
static __thread ino_t read_inode;

static void read_offset(void) {
  const char *name = getenv("WRONG_CLOCK_OFFSET_FILE");
  struct stat found;
  char text[64];
  if (name == NULL || stat(name, &found) != 0) return;
  if (found.st_ino == read_inode && found.st_mtim.tv_sec == read_at.tv_sec &&
      found.st_mtim.tv_nsec == read_at.tv_nsec)
    return;
  int file = open(name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return;
  text[length] = 0;
  offset_nanoseconds = (long long)(strtod(text, NULL) * 1e9);
  read_inode = found.st_ino;
  read_at = found.st_mtim;
}

static int is_clock_of_the_date(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (failed || !is_clock_of_the_date(clock)) return failed;
  read_offset();
  long long shifted = (long long)now->tv_sec * 1000000000LL + now->tv_nsec + offset_nanoseconds;
  now->tv_sec = shifted / 1000000000LL;
  now->tv_nsec = shifted % 1000000000LL;
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *seconds) {
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  if (seconds != NULL) *seconds = precise.tv_sec;
  return precise.tv_sec;
}
