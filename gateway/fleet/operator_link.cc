// SPDX-License-Identifier: Apache-2.0
#include "gateway/fleet/operator_link.h"

#include <grpcpp/grpcpp.h>

#include <deque>
#include <limits>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/observe/log.h"
#include "common/rpc/credentials.h"

namespace wsf::fleet {
namespace {

constexpr auto kRetry = std::chrono::milliseconds(200);

std::string LeaderOf(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(rpc::kLeaderTrailer);
  return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
}

}  // namespace

struct OperatorLink::Shared {
  std::string address;
  Dial dial;
  std::function<void(std::function<void()>)> post;
  Callbacks callbacks;
  absl::Mutex mutex;
  // Held until the next one is there: gRPC 1.51 ends the process when its last channel is given up
  // on one of its own threads.
  std::shared_ptr<grpc::Channel> channel ABSL_GUARDED_BY(mutex);
  Stream* stream ABSL_GUARDED_BY(mutex) = nullptr;
  std::int64_t highest_term ABSL_GUARDED_BY(mutex) = 0;
};

// One attempt; deletes itself when the call is over.
class OperatorLink::Stream : public grpc::ClientBidiReactor<v1::FromGateway, v1::ToGateway> {
 public:
  Stream(std::shared_ptr<Shared> shared, const std::shared_ptr<grpc::Channel>& channel)
      : shared_(std::move(shared)), stub_(v1::FleetService::NewStub(channel)) {
    stub_->async()->Attach(&context_, this);
    AddHold();
    StartRead(&incoming_);
  }

  void Send(v1::FromGateway message) {
    const absl::MutexLock lock(&mutex_);
    if (over_) return;
    if (queue_.size() >= limit_) {
      over_ = true;
      return context_.TryCancel();
    }
    // All that there is, which is said first, is as large as it is.
    if (message.has_in_sync()) limit_ = queue_.size() + kMaxQueued;
    queue_.push_back(std::move(message));
    if (!writing_) WriteNext();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        const absl::MutexLock lock(&mutex_);
        over_ = true;
      }
      RemoveHold();
      return;
    }
    if (IsDeposed(incoming_)) {
      context_.TryCancel();
    } else {
      shared_->post([shared = shared_, message = std::exchange(incoming_, {})] {
        shared->callbacks.on_message(message);
      });
    }
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    queue_.pop_front();
    writing_ = false;
    if (!ok) over_ = true;
    if (!queue_.empty() && !over_) WriteNext();
  }

  void OnDone(const grpc::Status& status) override {
    {
      const absl::MutexLock lock(&shared_->mutex);
      shared_->stream = nullptr;
    }
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE) {
      observe::Log(observe::Level::kWarning, "operator stream ended",
                   {{"error", status.error_message()}});
    }
    shared_->post([shared = shared_] { shared->callbacks.on_lost(); });
    // gRPC's own threads must not sleep.
    std::thread([shared = shared_, leader = LeaderOf(context_)] {
      if (leader.empty()) std::this_thread::sleep_for(kRetry);
      Open(shared, leader);
    }).detach();
    delete this;
  }

  // At the leader or, where `leader` is "", at the address that we were given. Not on a thread of
  // gRPC's.
  static void Open(const std::shared_ptr<Shared>& shared, const std::string& leader) {
    std::shared_ptr<grpc::Channel> channel =
        shared->dial(leader.empty() ? shared->address : leader);
    auto* const stream = new Stream(shared, channel);
    const absl::MutexLock lock(&shared->mutex);
    shared->channel.swap(channel);
    shared->stream = stream;
    shared->post([shared] { shared->callbacks.on_open(); });
    // While the operator is away it may be over, and gone, as soon as the lock is released.
    stream->StartCall();
  }

 private:
  // It was stopped for longer than its lease, and does not know yet.
  bool IsDeposed(const v1::ToGateway& message) {
    if (!message.has_snapshot()) return false;
    const absl::MutexLock lock(&shared_->mutex);
    if (message.snapshot().term() < shared_->highest_term) return true;
    shared_->highest_term = message.snapshot().term();
    return false;
  }
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    StartWrite(&queue_.front());
  }

  const std::shared_ptr<Shared> shared_;
  const std::unique_ptr<v1::FleetService::Stub> stub_;
  grpc::ClientContext context_;
  v1::ToGateway incoming_;
  absl::Mutex mutex_;
  std::deque<v1::FromGateway> queue_ ABSL_GUARDED_BY(mutex_);  // its front is being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::size_t limit_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<std::size_t>::max();
};

OperatorLink::OperatorLink(std::string address, Dial dial,
                           std::function<void(std::function<void()>)> post, Callbacks callbacks)
    : shared_(std::make_shared<Shared>()) {
  shared_->address = std::move(address);
  shared_->dial = std::move(dial);
  shared_->post = std::move(post);
  shared_->callbacks = std::move(callbacks);
}

OperatorLink::~OperatorLink() = default;

void OperatorLink::Start() { Stream::Open(shared_, ""); }

void OperatorLink::Send(v1::FromGateway message) {
  const absl::MutexLock lock(&shared_->mutex);
  if (shared_->stream != nullptr) shared_->stream->Send(std::move(message));
}

}  // namespace wsf::fleet
