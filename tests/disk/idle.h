/* Makes runs of a program with a writer thread the same each time: the monotonic clock stands still (so
 * that nothing is done because time has passed), and the test waits until the other threads have nothing
 * left to do. The linker puts these functions in the place of the system's, for our own code. */
#ifndef TESTS_DISK_IDLE_H
#define TESTS_DISK_IDLE_H

/* The calling thread is the one that waits for the others. */
void idle_init(void);
/* Returns once no other thread works; at the latest after a moment. */
void idle_wait(void);

#endif
