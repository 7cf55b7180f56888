// Tells the thread sanitizer of abseil's locks and counted statuses. Debian's libabsl is built without it, so
// that it sees neither what they order nor, through them, what gRPC hands from thread to thread: everything
// that a lock guards would be a data race. Each function stands before that of the library, and calls it. In
// preset tsan alone.
#include <sanitizer/tsan_interface.h>

#include <cstdint>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "tests/support/sanitizers/real.h"

// Of ThreadSanitizer's run-time library.
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
extern "C" void AnnotateIgnoreWritesBegin(const char* file, int line);
extern "C" void AnnotateIgnoreWritesEnd(const char* file, int line);

namespace {

using curlew::sanitizers::Real;

// How many of the library's functions this thread is in: some call others of these, which has been told then.
thread_local int inside = 0;

void Locking(void* mutex, unsigned flags = 0) {
  if (inside == 0) __tsan_mutex_pre_lock(mutex, flags);
}
void Locked(void* mutex, unsigned flags = 0) {
  if (inside == 0) __tsan_mutex_post_lock(mutex, flags, 0);
}
void Unlocking(void* mutex, unsigned flags = 0) {
  if (inside == 0) __tsan_mutex_pre_unlock(mutex, flags);
}
void Unlocked(void* mutex, unsigned flags = 0) {
  if (inside == 0) __tsan_mutex_post_unlock(mutex, flags);
}

// Calls a function of the library.
template <typename Function, typename... Args>
auto Call(Function* real, const Args&... args) {
  struct Inside {
    Inside() { ++inside; }
    ~Inside() { --inside; }
  } const in_it;
  return real(args...);
}

}  // namespace

#define REAL(type, name) static auto* const real = Real<type>("_ZN4absl7debian3" name)
#define REAL_CONST(type, name) static auto* const real = Real<type>("_ZNK4absl7debian3" name)

namespace absl {
ABSL_NAMESPACE_BEGIN

Mutex::~Mutex() {
  REAL(void(Mutex*), "5MutexD1Ev");
  __tsan_mutex_destroy(this, __tsan_mutex_not_static);
  Call(real, this);
}

void Mutex::Lock() {
  REAL(void(Mutex*), "5Mutex4LockEv");
  Locking(this);
  Call(real, this);
  Locked(this);
}

void Mutex::Unlock() {
  REAL(void(Mutex*), "5Mutex6UnlockEv");
  Unlocking(this);
  Call(real, this);
  Unlocked(this);
}

bool Mutex::TryLock() {
  REAL(bool(Mutex*), "5Mutex7TryLockEv");
  Locking(this, __tsan_mutex_try_lock);
  const bool locked = Call(real, this);
  Locked(this, locked ? __tsan_mutex_try_lock : __tsan_mutex_try_lock_failed);
  return locked;
}

void Mutex::ReaderLock() {
  REAL(void(Mutex*), "5Mutex10ReaderLockEv");
  Locking(this, __tsan_mutex_read_lock);
  Call(real, this);
  Locked(this, __tsan_mutex_read_lock);
}

void Mutex::ReaderUnlock() {
  REAL(void(Mutex*), "5Mutex12ReaderUnlockEv");
  Unlocking(this, __tsan_mutex_read_lock);
  Call(real, this);
  Unlocked(this, __tsan_mutex_read_lock);
}

void Mutex::LockWhen(const Condition& condition) {
  REAL(void(Mutex*, const Condition&), "5Mutex8LockWhenERKNS0_9ConditionE");
  Locking(this);
  Call(real, this, condition);
  Locked(this);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  REAL(bool(Mutex*, const Condition&, Duration),
       "5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  Locking(this);
  const bool holds = Call(real, this, condition, timeout);
  Locked(this);
  return holds;
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  REAL(bool(Mutex*, const Condition&, Time), "5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  Locking(this);
  const bool holds = Call(real, this, condition, deadline);
  Locked(this);
  return holds;
}

// Waiting lets the lock go and takes it again.
void Mutex::Await(const Condition& condition) {
  REAL(void(Mutex*, const Condition&), "5Mutex5AwaitERKNS0_9ConditionE");
  Unlocking(this);
  Unlocked(this);
  Locking(this);
  Call(real, this, condition);
  Locked(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  REAL(bool(Mutex*, const Condition&, Duration), "5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  Unlocking(this);
  Unlocked(this);
  Locking(this);
  const bool holds = Call(real, this, condition, timeout);
  Locked(this);
  return holds;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  REAL(bool(Mutex*, const Condition&, Time), "5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  Unlocking(this);
  Unlocked(this);
  Locking(this);
  const bool holds = Call(real, this, condition, deadline);
  Locked(this);
  return holds;
}

// Whoever lets a lock go looks at what others wait for, still under it.
bool Condition::Eval() const {
  REAL_CONST(bool(const Condition*), "9Condition4EvalEv");
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  const bool holds = Call(real, this);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  return holds;
}

void CondVar::Wait(Mutex* mutex) {
  REAL(void(CondVar*, Mutex*), "7CondVar4WaitEPNS0_5MutexE");
  Unlocking(mutex);
  Unlocked(mutex);
  Locking(mutex);
  Call(real, this, mutex);
  Locked(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  REAL(bool(CondVar*, Mutex*, Duration), "7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  Unlocking(mutex);
  Unlocked(mutex);
  Locking(mutex);
  const bool timed_out = Call(real, this, mutex, timeout);
  Locked(mutex);
  return timed_out;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  REAL(bool(CondVar*, Mutex*, Time), "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  Unlocking(mutex);
  Unlocked(mutex);
  Locking(mutex);
  const bool timed_out = Call(real, this, mutex, deadline);
  Locked(mutex);
  return timed_out;
}

void Notification::Notify() {
  REAL(void(Notification*), "12Notification6NotifyEv");
  __tsan_release(this);
  Call(real, this);
}

void Notification::WaitForNotification() const {
  REAL_CONST(void(const Notification*), "12Notification19WaitForNotificationEv");
  Call(real, this);
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  REAL_CONST(bool(const Notification*, Duration),
             "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
  const bool notified = Call(real, this, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl

// absl::Status::UnrefNonInlined: whoever gives the last reference back frees what others have read before.
#define UNREF "_ZN4absl7debian36Status15UnrefNonInlinedEm"
extern "C" void GiveStatusBack(uintptr_t rep) asm(UNREF);
extern "C" void GiveStatusBack(uintptr_t rep) {
  static auto* const real = Real<void(uintptr_t)>(UNREF);
  __tsan_release(reinterpret_cast<void*>(rep));
  __tsan_acquire(reinterpret_cast<void*>(rep));
  real(rep);
}
