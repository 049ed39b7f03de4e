/* Stacks for tasks, and the switch between them. swapcontext does the same with two system calls for the
 * signal mask, which nothing here has; they were a third of a simulated world's time. Where the machine is
 * none that is known here, swapcontext it is. */
#ifndef PLATFORM_SIM_STACK_H
#define PLATFORM_SIM_STACK_H

struct stack {
  void *pointer; /* where it stands while it does not run */
  void *memory;  /* NULL: the thread's own */
};

/* `entry` is called at the first switch to it and must not return. Memory of stacks that were released is used
 * again. */
void stack_init(struct stack *stack, void (*entry)(void *argument), void *argument);
void stack_release(struct stack *stack);
/* `from` is the one that runs; this returns when something switches back to it. */
void stack_switch(struct stack *from, const struct stack *to);

#endif
