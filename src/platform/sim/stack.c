#include "platform/sim/stack.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/panic.h"

enum { STACK_BYTES = 256 * 1024, GUARD_BYTES = 4096 };

/* Released ones, each with the next one's address in its first bytes. */
static char *released;

__attribute__((noinline)) static char *take_memory(void) { /* getcontext returns twice */
  char *memory = released;
  if (memory) {
    released = *(char **)(void *)(memory + GUARD_BYTES);
    return memory;
  }
  memory = mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ensure(memory != MAP_FAILED && mprotect(memory, GUARD_BYTES, PROT_NONE) == 0);
  return memory;
}

void stack_release(struct stack *stack) {
  char *memory = stack->memory;
#if !defined(__x86_64__)
  free(stack->pointer);
#endif
  if (!memory) return;
  *(char **)(void *)(memory + GUARD_BYTES) = released;
  released = memory;
}

#if defined(__x86_64__)

/* What the calling convention has a function keep: six registers and the return address, on its own stack. */
__attribute__((naked, noinline, no_profile_instrument_function)) static void switch_to(
    __attribute__((unused)) void **ret_pointer, __attribute__((unused)) void *pointer) {
  __asm__(
      "pushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
      "movq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n\t"
      "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\tret");
}

/* The first return leads here. */
__attribute__((naked, noinline, no_profile_instrument_function)) static void begin(void) {
  __asm__("movq %r13, %rdi\n\tcallq *%r12\n\tud2");
}

void stack_init(struct stack *stack, void (*entry)(void *argument), void *argument) {
  char *memory = take_memory();
  uint64_t *top = (uint64_t *)(void *)(memory + GUARD_BYTES + STACK_BYTES - 56);
  *top = (uintptr_t)begin; /* which finds the stack aligned to 16 once this is taken off it */
  top[-1] = top[-2] = 0;
  top[-3] = (uintptr_t)entry;    /* r12 */
  top[-4] = (uintptr_t)argument; /* r13 */
  top[-5] = top[-6] = 0;
  *stack = (struct stack){.pointer = top - 6, .memory = memory};
}

void stack_switch(struct stack *from, const struct stack *to) { switch_to(&from->pointer, to->pointer); }

#else

static void begin(unsigned entry_high, unsigned entry_low, unsigned argument_high, unsigned argument_low) {
  void (*entry)(void *) = (void (*)(void *))(uintptr_t)(((uint64_t)entry_high << 32) | entry_low);
  entry((void *)(uintptr_t)(((uint64_t)argument_high << 32) | argument_low));
}

static ucontext_t *new_context(void) {
  ucontext_t *context = calloc(1, sizeof *context);
  if (!context) panic("out of memory");
  return context;
}

void stack_init(struct stack *stack, void (*entry)(void *argument), void *argument) {
  char *memory = take_memory();
  ucontext_t *context = new_context();
  uint64_t to = (uintptr_t)entry, with = (uintptr_t)argument;
  ensure(getcontext(context) == 0);
  context->uc_stack.ss_sp = memory + GUARD_BYTES;
  context->uc_stack.ss_size = STACK_BYTES;
  makecontext(context, (void (*)(void))(uintptr_t)begin, 4, (unsigned)(to >> 32), (unsigned)to,
              (unsigned)(with >> 32), (unsigned)with);
  *stack = (struct stack){.pointer = context, .memory = memory};
}

void stack_switch(struct stack *from, const struct stack *to) {
  if (!from->pointer) from->pointer = new_context();
  swapcontext(from->pointer, to->pointer);
}

#endif
