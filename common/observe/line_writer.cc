// SPDX-License-Identifier: Apache-2.0
#include "common/observe/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace wsf::observe {
namespace {

// Bytes that a pipe or terminal takes at once when it says that it takes any.
constexpr std::size_t kSurelyTaken = 512;

enum class Kind { kFile, kSocket, kPipe };

Kind KindOf(int descriptor) {
  struct stat state = {};
  if (fstat(descriptor, &state) != 0) return Kind::kFile;
  if (S_ISSOCK(state.st_mode)) return Kind::kSocket;  // journald's
  return S_ISFIFO(state.st_mode) || S_ISCHR(state.st_mode) ? Kind::kPipe : Kind::kFile;
}

// A way to the same pipe or terminal whose writes do not block. That mode belongs to the open file,
// and the one we were given may be a shell's too. A file's writes do not wait for a reader, and
// would have a place of their own.
int OpenAgain(int descriptor) {
  if (KindOf(descriptor) != Kind::kPipe) return -1;
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  return open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

}  // namespace

struct LineWriter::Shared {
  Shared(int descriptor, DescribeDropped describe)
      : own(OpenAgain(descriptor)),
        out(own < 0 ? descriptor : own),
        kind(KindOf(descriptor)),
        describe_dropped(std::move(describe)) {}
  ~Shared() {
    if (own >= 0) close(own);
  }

  // As write(2), and never waits.
  ssize_t WriteSome(const char* bytes, std::size_t size) const {
    if (kind == Kind::kSocket) return send(out, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (kind == Kind::kFile || own >= 0) return write(out, bytes, size);
    // Somebody else's, which we may not open: asked before each write.
    pollfd ready = {out, POLLOUT, 0};
    if (poll(&ready, 1, 0) == 1) return write(out, bytes, std::min(size, kSurelyTaken));
    errno = EAGAIN;
    return -1;
  }

  // Writes as much of `kept` as is taken, and what is missing behind it. What can not be written at
  // all is dropped: a log must not stop what it tells of.
  void WriteNow() {
    while (!kept.empty() || dropped > 0) {
      if (kept.empty()) kept = describe_dropped(std::exchange(dropped, 0)) + "\n";
      const ssize_t n = WriteSome(kept.data(), kept.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      kept.erase(0, n < 0 ? kept.size() : static_cast<std::size_t>(n));
    }
  }
  bool IsOut() const { return kept.empty() && dropped == 0; }

  const int own;
  const int out;
  const Kind kind;
  const DescribeDropped describe_dropped;
  std::mutex mutex;
  // The rest is guarded by `mutex`.
  std::string kept;
  std::uint64_t dropped = 0;
  bool has_thread = false;
  std::condition_variable is_out;
};

LineWriter::LineWriter(int descriptor, DescribeDropped describe)
    : shared_(std::make_shared<Shared>(descriptor, std::move(describe))) {}

LineWriter::~LineWriter() = default;

void LineWriter::Write(std::string_view line) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->dropped > 0 || shared_->kept.size() + line.size() >= kMaxKept) {
    ++shared_->dropped;
  } else {
    shared_->kept.append(line).append("\n");
  }
  if (shared_->has_thread) return;
  shared_->WriteNow();
  if (shared_->IsOut()) return;
  try {
    std::thread(&LineWriter::WriteKept, shared_).detach();
    shared_->has_thread = true;
  } catch (const std::system_error&) {
    // No thread is left on this machine: the next line tries again.
  }
}

void LineWriter::WriteKept(const std::shared_ptr<Shared>& shared) {
  while (true) {
    pollfd ready = {shared->out, POLLOUT, 0};
    poll(&ready, 1, -1);
    const std::lock_guard lock(shared->mutex);
    shared->WriteNow();
    if (!shared->IsOut()) continue;
    shared->has_thread = false;
    shared->is_out.notify_all();
    return;
  }
}

void LineWriter::Finish(Duration time) {
  std::unique_lock lock(shared_->mutex);
  shared_->is_out.wait_for(lock, time, [this] { return !shared_->has_thread; });
}

}  // namespace wsf::observe
