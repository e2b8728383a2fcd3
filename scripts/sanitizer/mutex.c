// Tells ThreadSanitizer about the slow path of Swift's Mutex on Linux, which lies in the standard library and is not
// instrumented there: without it every contended Mutex is reported as a data race. The fast path is inlined into our
// code and seen. Preloaded by scripts/test; calls through to the library's own functions.
//
// The names are Swift's mangled ones for Synchronization._MutexHandle: _lockSlow(UInt32), _unlockSlow(), _tryLockSlow().
// The same in Swift 6.0 and 6.3. Needs clang: only it knows Swift's calling convention.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"

// Weak: the processes that the test program starts are preloaded too, and have no ThreadSanitizer inside.
extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

typedef SWIFT void (*Lock)(uint32_t, SELF void *);
typedef SWIFT void (*Unlock)(SELF void *);
typedef SWIFT bool (*Try)(SELF void *);

SWIFT void lock_slow(uint32_t value, SELF void *mutex) __asm__(LOCK);
SWIFT void unlock_slow(SELF void *mutex) __asm__(UNLOCK);
SWIFT bool try_lock_slow(SELF void *mutex) __asm__(TRY);

SWIFT void lock_slow(uint32_t value, SELF void *mutex) {
    ((Lock)dlsym(RTLD_NEXT, LOCK))(value, mutex);
    if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT void unlock_slow(SELF void *mutex) {
    if (__tsan_release) __tsan_release(mutex);
    ((Unlock)dlsym(RTLD_NEXT, UNLOCK))(mutex);
}

SWIFT bool try_lock_slow(SELF void *mutex) {
    bool locked = ((Try)dlsym(RTLD_NEXT, TRY))(mutex);
    if (locked && __tsan_acquire) __tsan_acquire(mutex);
    return locked;
}
