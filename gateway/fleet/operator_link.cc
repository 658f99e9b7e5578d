// SPDX-License-Identifier: Apache-2.0
#include "gateway/fleet/operator_link.h"

#include <grpcpp/grpcpp.h>

#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/observe/log.h"

namespace wsf::fleet {
namespace {

constexpr auto kRetry = std::chrono::milliseconds(200);

}  // namespace

struct OperatorLink::Shared {
  std::unique_ptr<v1::FleetService::Stub> stub;
  std::function<void(std::function<void()>)> post;
  Callbacks callbacks;
  std::mutex mutex;
  Stream* stream ABSL_GUARDED_BY(mutex) = nullptr;
};

// One attempt; deletes itself when the call is over.
class OperatorLink::Stream : public grpc::ClientBidiReactor<v1::FromGateway, v1::ToGateway> {
 public:
  explicit Stream(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
    shared_->stub->async()->Attach(&context_, this);
    AddHold();
    StartRead(&incoming_);
  }

  void Send(v1::FromGateway message) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (over_) return;
    queue_.push_back(std::move(message));
    if (!writing_) WriteNext();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        over_ = true;
      }
      RemoveHold();
      return;
    }
    shared_->post([shared = shared_, message = std::exchange(incoming_, {})] {
      shared->callbacks.on_message(message);
    });
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.pop_front();
    writing_ = false;
    if (!ok) over_ = true;
    if (!queue_.empty() && !over_) WriteNext();
  }

  void OnDone(const grpc::Status& status) override {
    {
      const std::lock_guard<std::mutex> lock(shared_->mutex);
      shared_->stream = nullptr;
    }
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE) {
      observe::Log(observe::Level::kWarning, "operator stream ended",
                   {{"error", status.error_message()}});
    }
    shared_->post([shared = shared_] { shared->callbacks.on_lost(); });
    // gRPC's own threads must not sleep.
    std::thread([shared = shared_] {
      std::this_thread::sleep_for(kRetry);
      Open(shared);
    }).detach();
    delete this;
  }

  static void Open(const std::shared_ptr<Shared>& shared) {
    auto* const stream = new Stream(shared);
    const std::lock_guard<std::mutex> lock(shared->mutex);
    shared->stream = stream;
    shared->post([shared] { shared->callbacks.on_open(); });
    // While the operator is away it may be over, and gone, as soon as the lock is released.
    stream->StartCall();
  }

 private:
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    StartWrite(&queue_.front());
  }

  const std::shared_ptr<Shared> shared_;
  grpc::ClientContext context_;
  v1::ToGateway incoming_;
  std::mutex mutex_;
  std::deque<v1::FromGateway> queue_ ABSL_GUARDED_BY(mutex_);  // its front is being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

OperatorLink::OperatorLink(std::shared_ptr<grpc::Channel> channel,
                           std::function<void(std::function<void()>)> post, Callbacks callbacks)
    : shared_(std::make_shared<Shared>()) {
  shared_->stub = v1::FleetService::NewStub(channel);
  shared_->post = std::move(post);
  shared_->callbacks = std::move(callbacks);
}

OperatorLink::~OperatorLink() = default;

void OperatorLink::Start() { Stream::Open(shared_); }

void OperatorLink::Send(v1::FromGateway message) {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  if (shared_->stream != nullptr) shared_->stream->Send(std::move(message));
}

}  // namespace wsf::fleet
