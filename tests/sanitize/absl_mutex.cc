// SPDX-License-Identifier: Apache-2.0
// Tells TSan what abseil's mutexes order: Debian's abseil waits by futex and is built without TSan,
// which therefore sees neither our own guarded state nor gRPC's. Linked into the programs under
// TSan, these definitions come before the library's and call them.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"

namespace {

// The library's own definition; its name is mangled with abseil's inline namespace.
template <typename Function>
Function Library(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, symbol));
}

using Plain = void (*)(absl::Mutex*);
using Trying = bool (*)(absl::Mutex*);

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

#define WSF_MANGLED(name) "_ZN4absl7debian3" name

void Mutex::Lock() {
  static const auto library = Library<Plain>(WSF_MANGLED("5Mutex4LockEv"));
  library(this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static const auto library = Library<Trying>(WSF_MANGLED("5Mutex7TryLockEv"));
  const bool locked = library(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::Unlock() {
  static const auto library = Library<Plain>(WSF_MANGLED("5Mutex6UnlockEv"));
  __tsan_release(this);
  library(this);
}

void Mutex::ReaderLock() {
  static const auto library = Library<Plain>(WSF_MANGLED("5Mutex10ReaderLockEv"));
  library(this);
  __tsan_acquire(this);
}

void Mutex::ReaderUnlock() {
  static const auto library = Library<Plain>(WSF_MANGLED("5Mutex12ReaderUnlockEv"));
  __tsan_release(this);
  library(this);
}

void Mutex::LockWhen(const Condition& condition) {
  static const auto library =
      Library<void (*)(Mutex*, const Condition&)>(WSF_MANGLED("5Mutex8LockWhenERKNS0_9ConditionE"));
  library(this, condition);
  __tsan_acquire(this);
}

void CondVar::Wait(Mutex* mutex) {
  static const auto library =
      Library<void (*)(CondVar*, Mutex*)>(WSF_MANGLED("7CondVar4WaitEPNS0_5MutexE"));
  __tsan_release(mutex);
  library(this, mutex);
  __tsan_acquire(mutex);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static const auto library = Library<bool (*)(CondVar*, Mutex*, Time)>(
      WSF_MANGLED("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE"));
  __tsan_release(mutex);
  const bool late = library(this, mutex, deadline);
  __tsan_acquire(mutex);
  return late;
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static const auto library = Library<bool (*)(CondVar*, Mutex*, Duration)>(
      WSF_MANGLED("7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE"));
  __tsan_release(mutex);
  const bool late = library(this, mutex, timeout);
  __tsan_acquire(mutex);
  return late;
}

ABSL_NAMESPACE_END
}  // namespace absl
